import * as z from 'zod';

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
);

/** The deployment's own settings, from the function's environment (serverless.yml): never from a request. */
const Environment = z.object({
  TABLE_NAME: z.string(),
  /** Marks everything we make; part of every external id. */
  DEPLOYMENT_ID: z.string(),
  /** IAM path of the provisioner roles, with both slashes. */
  PROVISIONER_PATH: z.string(),
  PAYER_PROVISIONER_NAME: z.string(),
  CLUSTER_PROVISIONER_NAME: z.string(),
  /** Host suffixes a cluster endpoint may end in. */
  ALLOWED_HOST_SUFFIXES: list,
  ALLOWED_NAMESPACES: list,
  EVENT_BUS_NAME: z.string(),
  /** Empty: the functions run outside any VPC. */
  VPC_SUBNET_IDS: list,
});

export interface Deployment {
  deploymentId: string;
  tableName: string;
  payerProvisionerArn(accountId: string): string;
  clusterProvisionerArn(accountId: string): string;
  /** The confused-deputy guard of the provisioner roles: no request can name another account's. */
  externalId(accountId: string): string;
  allowedHostSuffixes: readonly string[];
  allowedNamespaces: readonly string[];
  /** Carries every transition of a run. */
  eventBusName: string;
  /** True if what talks to clusters runs in the deployer's network, from where private endpoints may be reached. */
  inVpc: boolean;
}

export function readDeployment(environment: NodeJS.ProcessEnv = process.env): Deployment {
  const env = Environment.parse(environment);
  const roleArn = (accountId: string, name: string) => `arn:aws:iam::${accountId}:role${env.PROVISIONER_PATH}${name}`;
  return {
    deploymentId: env.DEPLOYMENT_ID,
    tableName: env.TABLE_NAME,
    payerProvisionerArn: (accountId) => roleArn(accountId, env.PAYER_PROVISIONER_NAME),
    clusterProvisionerArn: (accountId) => roleArn(accountId, env.CLUSTER_PROVISIONER_NAME),
    externalId: (accountId) => `${env.DEPLOYMENT_ID}/${accountId}`,
    allowedHostSuffixes: env.ALLOWED_HOST_SUFFIXES,
    allowedNamespaces: env.ALLOWED_NAMESPACES,
    eventBusName: env.EVENT_BUS_NAME,
    inVpc: env.VPC_SUBNET_IDS.length > 0,
  };
}
