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
  /** Only functions that start or stop executions have these two. */
  PROVISION_STATE_MACHINE_ARN: z.string().default(''),
  OFFBOARD_STATE_MACHINE_ARN: z.string().default(''),
});
const names = Object.keys(Environment.shape);

export interface Settings {
  deploymentId: string;
  tableName: string;
  payerProvisionerArn(accountId: string): string;
  clusterProvisionerArn(accountId: string): string;
  /** The external id of an account's provisioner role. No request can name it, so no request can reach a foreign account. */
  externalId(accountId: string): string;
  allowedHostSuffixes: readonly string[];
  allowedNamespaces: readonly string[];
  /** The event bus for every transition of a run. */
  eventBusName: string;
  /** True if the functions that call clusters run in the deployer's VPC, which may reach private endpoints. */
  inVpc: boolean;
  /** By the kind of run; empty in functions that start and stop none. */
  stateMachineArns: Record<'onboarding' | 'offboarding', string>;
}

let latest: { values: string; settings: Settings } | undefined;

/** Parses the environment once, and again only if it has changed. */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const values = JSON.stringify(names.map((name) => environment[name]));
  if (latest?.values !== values) latest = { values, settings: parse(environment) };
  return latest.settings;
}

function parse(environment: NodeJS.ProcessEnv): Settings {
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
    stateMachineArns: { onboarding: env.PROVISION_STATE_MACHINE_ARN, offboarding: env.OFFBOARD_STATE_MACHINE_ARN },
  };
}
