import * as sdk from '@aws-sdk/client-organizations';
import { AwsError, operation, type Service } from '../service.ts';

interface Organization {
  id: string;
  managementAccountId: string;
}

/** Accounts belong to no organization until a test adds them to one. */
export class OrganizationsState {
  readonly #byAccount = new Map<string, Organization>();

  /** Creates an organization; the first account is its management account. */
  create(managementAccountId: string, ...memberAccountIds: string[]): void {
    const organization = { id: `o-${managementAccountId.slice(0, 10)}`, managementAccountId };
    for (const accountId of [managementAccountId, ...memberAccountIds]) this.#byAccount.set(accountId, organization);
  }

  of(accountId: string): Organization | undefined {
    return this.#byAccount.get(accountId);
  }
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
  },
};
