import * as sdk from '@aws-sdk/client-lakeformation';
import { type CallContext, operation, type Service } from '../service.ts';

type Kind = 'databases' | 'tables';

/** Whether Lake Formation controls the catalog: by default only IAM does. */
export class LakeFormationState {
  readonly #locked = new Set<string>();
  readonly #granted = new Set<string>();

  /** Removes IAM_ALLOWED_PRINCIPALS from the defaults of databases, of tables or of both: creating and reading then needs a grant. */
  lock(accountId: string, region: string, ...kinds: Kind[]): void {
    for (const kind of kinds.length > 0 ? kinds : (['databases', 'tables'] as const))
      this.#locked.add(`${accountId}/${region}/${kind}`);
  }

  isLocked(accountId: string, region: string, kind: Kind): boolean {
    return this.#locked.has(`${accountId}/${region}/${kind}`);
  }

  /** Gives a role every permission of Lake Formation in the region. */
  grant(roleArn: string, region: string): void {
    this.#granted.add(`${region} ${roleArn}`);
  }

  /** Whether Lake Formation stands between the caller and a database to create or a table to read. */
  refuses({ caller, region }: Pick<CallContext, 'caller' | 'region'>, kind: Kind): boolean {
    const isGranted = this.#granted.has(`${region} ${caller.roleArn ?? ''}`);
    return this.isLocked(caller.accountId, region, kind) && !isGranted;
  }
}

export const lakeformationService: Service = {
  signingName: 'lakeformation',
  sdk,
  operations: {
    GetDataLakeSettings: operation<sdk.GetDataLakeSettingsCommandInput, sdk.GetDataLakeSettingsResponse>({
      writes: false,
      permissions: () => [{ action: 'lakeformation:GetDataLakeSettings', resources: ['*'] }],
      run(_, { world, caller, region }) {
        const everybody: sdk.PrincipalPermissions = {
          Principal: { DataLakePrincipalIdentifier: 'IAM_ALLOWED_PRINCIPALS' },
          Permissions: ['ALL'],
        };
        const defaults = (kind: Kind) =>
          world.lakeformation.isLocked(caller.accountId, region, kind) ? [] : [everybody];
        return {
          DataLakeSettings: {
            DataLakeAdmins: [],
            ReadOnlyAdmins: [],
            CreateDatabaseDefaultPermissions: defaults('databases'),
            CreateTableDefaultPermissions: defaults('tables'),
            Parameters: { CROSS_ACCOUNT_VERSION: '4', SET_CONTEXT: 'TRUE' },
            TrustedResourceOwners: [],
            AllowExternalDataFiltering: false,
            ExternalDataFilteringAllowList: [],
          },
        };
      },
    }),
  },
};
