import * as sdk from '@aws-sdk/client-organizations';
import { AwsError, type Caller, type Operation, operation, type Service } from '../service.ts';
import type { World } from '../world.ts';

interface Organization {
  id: string;
  managementAccountId: string;
}

/** A billing transfer: the target pays for the organisation of the source. Each side is a management account. */
export interface BillingTransfer {
  sourceAccountId: string;
  targetAccountId: string;
  status: sdk.ResponsibilityTransferStatus;
  /** Virtual milliseconds: the start of a month. */
  startsAt: number;
}

/** Accounts belong to no organization until a test adds them to one. */
export class OrganizationsState {
  readonly #byAccount = new Map<string, Organization>();
  readonly transfers: BillingTransfer[] = [];

  /** Creates an organization; the first account is its management account. */
  create(managementAccountId: string, ...memberAccountIds: string[]): void {
    const organization = { id: `o-${managementAccountId.slice(0, 10)}`, managementAccountId };
    for (const accountId of [managementAccountId, ...memberAccountIds]) this.#byAccount.set(accountId, organization);
  }

  of(accountId: string): Organization | undefined {
    return this.#byAccount.get(accountId);
  }

  /** True for a bill-source account: it still manages its organisation, and another account gets its bills. */
  hasTransferredBill(accountId: string, now: number): boolean {
    return this.transfers.some(
      ({ sourceAccountId, status, startsAt }) =>
        sourceAccountId === accountId && status === 'ACCEPTED' && startsAt <= now,
    );
  }
}

type TransferList = Pick<sdk.ListInboundResponsibilityTransfersResponse, 'ResponsibilityTransfers'>;

function listTransfers(side: 'Inbound' | 'Outbound'): Operation {
  const own = side === 'Inbound' ? 'targetAccountId' : 'sourceAccountId';
  return operation<object, TransferList>({
    writes: false,
    permissions: () => [{ action: `organizations:List${side}ResponsibilityTransfers`, resources: ['*'] }],
    run(_, { world, caller }) {
      managed(world, caller);
      const ours = world.organizations.transfers.filter((transfer) => transfer[own] === caller.accountId);
      return {
        ResponsibilityTransfers: ours.map(({ sourceAccountId, targetAccountId, status, startsAt }) => ({
          Type: 'BILLING',
          Status: status,
          Source: { ManagementAccountId: sourceAccountId },
          Target: { ManagementAccountId: targetAccountId },
          StartTimestamp: new Date(startsAt),
        })),
      };
    },
  });
}

function managed(world: World, { accountId }: Caller): Organization {
  const organization = world.organizations.of(accountId);
  if (!organization)
    throw new AwsError('AWSOrganizationsNotInUseException', 'Your account is not a member of an organization.');
  if (organization.managementAccountId !== accountId)
    throw new AwsError('AccessDeniedException', "You don't have permissions to access this resource.", 400);
  return organization;
}

export const organizationsService: Service = {
  signingName: 'organizations',
  sdk,
  operations: {
    DescribeOrganization: operation<sdk.DescribeOrganizationCommandInput, sdk.DescribeOrganizationResponse>({
      writes: false,
      permissions: () => [{ action: 'organizations:DescribeOrganization', resources: ['*'] }],
      run(_, { world, caller }) {
        const organization = world.organizations.of(caller.accountId);
        if (!organization)
          throw new AwsError('AWSOrganizationsNotInUseException', 'Your account is not a member of an organization.');
        const { id, managementAccountId: manager } = organization;
        return {
          Organization: {
            Id: id,
            Arn: `arn:aws:organizations::${manager}:organization/${id}`,
            FeatureSet: 'ALL',
            MasterAccountArn: `arn:aws:organizations::${manager}:account/${id}/${manager}`,
            MasterAccountId: manager,
            MasterAccountEmail: 'billing@example.com',
            AvailablePolicyTypes: [],
          },
        };
      },
    }),

    ListInboundResponsibilityTransfers: listTransfers('Inbound'),
    ListOutboundResponsibilityTransfers: listTransfers('Outbound'),
  },
};
