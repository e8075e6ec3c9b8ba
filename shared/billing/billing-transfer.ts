import {
  ListInboundResponsibilityTransfersCommand,
  ListOutboundResponsibilityTransfersCommand,
  OrganizationsClient,
  type ResponsibilityTransfer,
} from '@aws-sdk/client-organizations';
import type { TargetAccount } from '../aws/target-account.ts';
import { isAwsError } from '../errors/errors.ts';
import { log } from '../platform/logger.ts';
import type { Permission } from '../step/contract.ts';

export const transferPermission: Permission = {
  actions: ['organizations:ListInboundResponsibilityTransfers', 'organizations:ListOutboundResponsibilityTransfers'],
  resources: ['*'],
};

/** What billing transfers of the account mean for its report; empty if it has none, or if we may not see them. */
export async function transferWarnings(payer: TargetAccount, now: number): Promise<string[]> {
  const organizations = payer.client(OrganizationsClient, 'us-east-1');
  const named = { Type: 'BILLING' } as const;
  const [outbound, inbound] = await Promise.all([
    listTransfers(() => organizations.send(new ListOutboundResponsibilityTransfersCommand(named))),
    listTransfers(() => organizations.send(new ListInboundResponsibilityTransfersCommand(named))),
  ]);
  return [
    ...active(outbound, now).map(
      ({ from, Target }) =>
        `billing transfer: from ${from} on, account ${Target?.ManagementAccountId ?? ''} gets the bills of this organisation. AWS may refuse a new report here, and an existing one shows what that account publishes`,
    ),
    ...active(inbound, now).map(
      ({ from, Source }) =>
        `billing transfer: from ${from} on, this account gets the bills of the organisation of ${Source?.ManagementAccountId ?? ''}. They are not in its Cost and Usage Report`,
    ),
  ];
}

interface Answer {
  ResponsibilityTransfers?: ResponsibilityTransfer[] | undefined;
}

/** The first page: an organisation has one outbound transfer, and a few inbound ones are enough for a warning. */
async function listTransfers(read: () => Promise<Answer>): Promise<ResponsibilityTransfer[]> {
  try {
    return (await read()).ResponsibilityTransfers ?? [];
  } catch (error) {
    const expected = ['AccessDenied', 'AccessDeniedException', 'AWSOrganizationsNotInUseException'];
    if (!isAwsError(error, ...expected, 'UnsupportedAPIEndpointException')) throw error;
    log('billing transfers not visible', { code: error.name, detail: error.message });
    return [];
  }
}

/** Accepted ones that have not ended; a transfer begins with a month. */
function active(transfers: readonly ResponsibilityTransfer[], now: number) {
  return transfers.flatMap((transfer) => {
    const { Status, StartTimestamp: start, EndTimestamp: end } = transfer;
    const isActive = Status === 'ACCEPTED' && !(end && end.getTime() <= now);
    return isActive ? [{ ...transfer, from: start?.toISOString().slice(0, 10) ?? 'an unknown day' }] : [];
  });
}
