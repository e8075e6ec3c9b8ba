import {
  AssociateAccessPolicyCommand,
  DisassociateAccessPolicyCommand,
  EKSClient,
  ListAssociatedAccessPoliciesCommand,
} from '@aws-sdk/client-eks';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf, isAwsError, RetryableError, UserError } from '../errors/errors.ts';
import { type AdminWindow, markWindowOpen, markWindowShut } from '../targets/admin-windows.ts';

const adminPolicyArn = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';

type Entry = Pick<AdminWindow, 'region' | 'clusterName' | 'principalArn'>;

export async function hasAdminPolicy(account: TargetAccount, entry: Entry): Promise<boolean> {
  const answer = await absentIf(['ResourceNotFoundException'], () =>
    account
      .client(EKSClient, entry.region)
      .send(
        new ListAssociatedAccessPoliciesCommand({ clusterName: entry.clusterName, principalArn: entry.principalArn }),
      ),
  );
  return answer?.associatedAccessPolicies?.some(({ policyArn }) => policyArn === adminPolicyArn) ?? false;
}

/**
 * Makes us cluster administrator. The mark comes first, so that whatever happens after it is shut by someone.
 * @param purpose for the message if the account does not let us
 * @throws UserError cluster-setup-denied
 */
export async function openAdminWindow(
  account: TargetAccount,
  clusterArn: string,
  window: AdminWindow,
  purpose: string,
): Promise<void> {
  await markWindowOpen(clusterArn, window);
  try {
    await account.client(EKSClient, window.region).send(
      new AssociateAccessPolicyCommand({
        clusterName: window.clusterName,
        principalArn: window.principalArn,
        policyArn: adminPolicyArn,
        accessScope: { type: 'cluster' },
      }),
    );
  } catch (error) {
    if (!isAwsError(error, 'AccessDeniedException', 'AccessDenied')) throw error;
    await markWindowShut(clusterArn, window.runId);
    throw new UserError('cluster-setup-denied', `${purpose}: ${error.message}`, { cause: error });
  }
}

/** Gives the right back, proves it gone, and only then takes the mark away. */
export async function closeAdminWindow(account: TargetAccount, clusterArn: string, window: AdminWindow): Promise<void> {
  const { region, clusterName, principalArn } = window;
  await absentIf(['ResourceNotFoundException'], () =>
    account
      .client(EKSClient, region)
      .send(new DisassociateAccessPolicyCommand({ clusterName, principalArn, policyArn: adminPolicyArn })),
  );
  if (await hasAdminPolicy(account, window))
    throw new RetryableError('aws-unavailable', `${principalArn} is still cluster administrator of ${clusterArn}`);
  await markWindowShut(clusterArn, window.runId);
}
