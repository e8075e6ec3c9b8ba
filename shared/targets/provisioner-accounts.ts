import { TargetAccount } from '../aws/target-account.ts';
import { readSettings } from '../platform/settings.ts';

/** The payer account, accessed through the payer provisioner role in a session with the run's name. */
export function payerAccount(accountId: string, runId: string): TargetAccount {
  const deployment = readSettings();
  const role = {
    roleArn: deployment.payerProvisionerArn(accountId),
    externalId: deployment.externalId(accountId),
    sessionName: runId,
  };
  return new TargetAccount(accountId, role, 'payer-access-denied');
}

/** The cluster account, accessed through the cluster provisioner role in a session with the run's name. */
export function clusterAccount(accountId: string, runId: string): TargetAccount {
  const deployment = readSettings();
  const role = {
    roleArn: deployment.clusterProvisionerArn(accountId),
    externalId: deployment.externalId(accountId),
    sessionName: runId,
  };
  return new TargetAccount(accountId, role, 'cluster-access-denied');
}
