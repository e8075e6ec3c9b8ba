import * as sdk from '@aws-sdk/client-sts';
import { operation, type Service } from '../../service.ts';
import { assumeRole } from './assume-role.ts';
import { assumeRoleWithWebIdentity } from './web-identity.ts';

export const stsService: Service = {
  signingName: 'sts',
  sdk,
  operations: {
    AssumeRole: assumeRole,
    AssumeRoleWithWebIdentity: assumeRoleWithWebIdentity,

    GetCallerIdentity: operation<sdk.GetCallerIdentityCommandInput, object>({
      writes: false,
      permissions: () => [],
      run: (_, { caller }) => ({
        UserId: caller.roleId ? `${caller.roleId}:${caller.arn.split('/').at(-1) ?? ''}` : caller.accountId,
        Account: caller.accountId,
        Arn: caller.arn,
      }),
    }),
  },
};
