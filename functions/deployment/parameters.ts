/** Parameters of serverless.yml; a test compares the two lists. */
export const parameters: Record<string, string> = {
  deploymentId: 'Id in the tags of our resources and in every external id; never change it. Default: the stage',
  region: 'Region of the API, the functions, the state machines and the table. Default: us-east-1',
  allowedHostSuffixes: 'Comma-separated suffixes of allowed cluster endpoint host names. Default: .eks.amazonaws.com',
  allowedNamespaces: 'Comma-separated namespaces that a request may use. Default: kubecost,opencost',
  provisionerPath:
    'IAM path of the provisioner roles in payer and cluster accounts. Default: /kubecost-payer-onboarding/',
  payerProvisionerName: 'Name of the provisioner role in payer accounts. Default: kubecost-payer-provisioner',
  clusterProvisionerName: 'Name of the provisioner role in cluster accounts. Default: kubecost-cluster-provisioner',
  vpcSubnetIds:
    'Comma-separated subnets for the functions that call clusters, to reach private endpoints; the subnets need a NAT to the AWS APIs. Default: no VPC',
  vpcSecurityGroupIds: 'Comma-separated security groups of these functions; required with vpcSubnetIds',
  failureEmail:
    'Address that receives an e-mail for each failed run, after it confirms the subscription. Default: none',
  logRetentionDays: 'Retention of the function and state machine logs in days. Default: 30',
};

/** A problem of the VPC parameters, which CloudFormation reports only after minutes. */
export function vpcProblem(args: readonly string[]): string | undefined {
  const valueOf = (name: string) =>
    args.map((arg) => arg.replace(/^--param=/, '')).find((arg) => arg.startsWith(`${name}=`));
  const [subnets, groups] = [valueOf('vpcSubnetIds'), valueOf('vpcSecurityGroupIds')];
  if (!subnets !== !groups) return 'set both vpcSubnetIds and vpcSecurityGroupIds, or neither';
  const spaced = [subnets, groups].find((value) => value !== undefined && /\s/.test(value));
  return spaced && `remove the spaces between the ids: ${spaced}`;
}
