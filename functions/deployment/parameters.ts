/** Parameters of serverless.yml; a test holds the two lists together. */
export const parameters: Record<string, string> = {
  deploymentId: 'Marks everything we make and is part of every external id; never change it. Default: the stage',
  region: 'Region of the hub: API, functions, state machine, table. Default: us-east-1',
  allowedHostSuffixes:
    'Comma-separated suffixes that a cluster endpoint’s host may end in. Default: .eks.amazonaws.com',
  allowedNamespaces: 'Comma-separated namespaces a request may name. Default: kubecost,opencost',
  provisionerPath:
    'IAM path of the provisioner roles in payer and cluster accounts. Default: /kubecost-payer-onboarding/',
  payerProvisionerName: 'Name of the provisioner role in payer accounts. Default: kubecost-payer-provisioner',
  clusterProvisionerName: 'Name of the provisioner role in cluster accounts. Default: kubecost-cluster-provisioner',
  vpcSubnetIds:
    'Comma-separated subnets for the functions that talk to clusters, to reach private endpoints; they need a NAT to the AWS APIs. Default: no VPC',
  vpcSecurityGroupIds: 'Comma-separated security groups of these functions; must be given with vpcSubnetIds',
  failureEmail: 'Who gets a mail for each run that fails, after confirming the subscription. Default: nobody',
  logRetentionDays: 'Days that function and state machine logs are kept. Default: 30',
};

/** What CloudFormation would say only after minutes of deploying. */
export function vpcProblem(args: readonly string[]): string | undefined {
  const valueOf = (name: string) =>
    args.map((arg) => arg.replace(/^--param=/, '')).find((arg) => arg.startsWith(`${name}=`));
  const [subnets, groups] = [valueOf('vpcSubnetIds'), valueOf('vpcSecurityGroupIds')];
  if (!subnets !== !groups) return 'vpcSubnetIds and vpcSecurityGroupIds go together';
  const spaced = [subnets, groups].find((value) => value !== undefined && /\s/.test(value));
  return spaced && `no spaces between the ids: ${spaced}`;
}
