import * as sdk from '@aws-sdk/client-kms';
import { AwsError, type CallContext, operation, type Service } from '../../service.ts';
import type { Key } from './state.ts';

function keyNamed({ world, caller, region }: CallContext, name = ''): Key | undefined {
  return world.kms.keys.get(world.kms.arnOf(caller.accountId, region, name));
}

export const kmsService: Service = {
  signingName: 'kms',
  sdk,
  operations: {
    // The key's policy decides too, so the operation asks for the right itself.
    DescribeKey: operation<sdk.DescribeKeyCommandInput, sdk.DescribeKeyResponse>({
      writes: false,
      permissions: () => [],
      run({ KeyId }, cx) {
        const key = keyNamed(cx, KeyId);
        if (!key) throw new AwsError('NotFoundException', `Key '${KeyId ?? ''}' does not exist`);
        const denial = cx.world.kms.denial(cx.caller, 'kms:DescribeKey', key);
        if (denial !== undefined) throw new AwsError('AccessDeniedException', denial);
        return {
          KeyMetadata: {
            AWSAccountId: key.accountId,
            KeyId: key.id,
            Arn: key.arn,
            CreationDate: new Date(key.createdAt),
            Enabled: key.state === 'Enabled',
            Description: '',
            KeyUsage: 'ENCRYPT_DECRYPT',
            KeyState: key.state,
            Origin: 'AWS_KMS',
            KeyManager: key.manager,
            KeySpec: 'SYMMETRIC_DEFAULT',
            MultiRegion: key.multiRegion,
          },
        };
      },
    }),

    ListAliases: operation<sdk.ListAliasesCommandInput, sdk.ListAliasesResponse>({
      writes: false,
      permissions: () => [{ action: 'kms:ListAliases', resources: ['*'] }],
      run({ KeyId, Limit = 50, Marker = '0' }, { world, caller, region }) {
        const prefix = `${caller.accountId}/${region}/`;
        const all = [...world.kms.aliases]
          .filter(([alias]) => alias.startsWith(prefix))
          .map(([alias, arn]) => ({
            AliasName: alias.slice(prefix.length),
            AliasArn: `arn:aws:kms:${region}:${caller.accountId}:${alias.slice(prefix.length)}`,
            TargetKeyId: arn.slice(arn.indexOf('key/') + 4),
          }))
          .filter(({ TargetKeyId }) => KeyId === undefined || KeyId.endsWith(TargetKeyId));
        const end = Number(Marker) + Limit;
        return {
          Aliases: all.slice(Number(Marker), end),
          Truncated: end < all.length,
          ...(end < all.length && { NextMarker: String(end) }),
        };
      },
    }),
  },
};
