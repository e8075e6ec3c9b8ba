import { TargetAccount } from '../aws/target-account.ts';
import { readSettings } from '../platform/settings.ts';

/** The payer account, entered by the payer provisioner role under this run's name. */
export function payerAccount(accountId: string, runId: string): TargetAccount {
  const deployment = readSettings();
  const role = {
    roleArn: deployment.payerProvisionerArn(accountId),
    externalId: deployment.externalId(accountId),
    sessionName: runId,
  };
  return new TargetAccount(accountId, role, 'payer-access-denied');
}

/** The cluster account, entered by the cluster provisioner role under this run's name. */
export function clusterAccount(accountId: string, runId: string): TargetAccount {
  const deployment = readSettings();
  const role = {
    roleArn: deployment.clusterProvisionerArn(accountId),
    externalId: deployment.externalId(accountId),
    sessionName: runId,
  };
  return new TargetAccount(accountId, role, 'cluster-access-denied');
}
