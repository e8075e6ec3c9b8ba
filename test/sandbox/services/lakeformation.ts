import * as sdk from '@aws-sdk/client-lakeformation';
import { operation, type Service } from '../service.ts';

/** Whether Lake Formation controls the catalog: by default only IAM does. */
export class LakeFormationState {
  readonly #locked = new Set<string>();

  /** Removes IAM_ALLOWED_PRINCIPALS from the defaults, so that creating and reading needs a grant. */
  lock(accountId: string, region: string): void {
    this.#locked.add(`${accountId}/${region}`);
  }

  isLocked(accountId: string, region: string): boolean {
    return this.#locked.has(`${accountId}/${region}`);
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
        const defaults = world.lakeformation.isLocked(caller.accountId, region) ? [] : [everybody];
        return {
          DataLakeSettings: {
            DataLakeAdmins: [],
            ReadOnlyAdmins: [],
            CreateDatabaseDefaultPermissions: defaults,
            CreateTableDefaultPermissions: defaults,
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
