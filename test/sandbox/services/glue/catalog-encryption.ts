import type * as sdk from '@aws-sdk/client-glue';
import { AwsError, type CallContext, type Operation, operation } from '../../service.ts';
import { demandKey, type KeyAction } from '../kms/state.ts';

/** Any client of an encrypted catalog needs the key (AWS Glue Developer Guide, "Setting up encryption"); with a service role only that role does. */
export function demandCatalogKey(cx: CallContext, actions: readonly KeyAction[]): void {
  const { encryption } = cx.world.glue.catalog(cx.caller.accountId, cx.region);
  if (encryption.CatalogEncryptionMode !== 'SSE-KMS') return;
  const keyArn = cx.world.kms.arnOf(cx.caller.accountId, cx.region, encryption.SseAwsKmsKeyId ?? 'alias/aws/glue');
  for (const action of actions) demandKey(cx, 'GlueEncryptionException', { action, keyArn, via: 'glue' });
}

/** The same operations, which ask for the catalog's key first. */
export function withCatalogKey(operations: Record<string, Operation>): Record<string, Operation> {
  return Object.fromEntries(
    Object.entries(operations).map(([name, each]) => [
      name,
      operation<never, unknown>({
        ...each,
        run(input, cx) {
          demandCatalogKey(cx, each.writes ? ['kms:GenerateDataKey', 'kms:Encrypt', 'kms:Decrypt'] : ['kms:Decrypt']);
          return each.run(input, cx);
        },
      }),
    ]),
  );
}

const modes = ['DISABLED', 'SSE-KMS', 'SSE-KMS-WITH-SERVICE-ROLE'];

// Neither action has a resource type (Service Authorization Reference, AWS Glue).
export const encryptionOperations = {
  GetDataCatalogEncryptionSettings: operation<sdk.GetDataCatalogEncryptionSettingsCommandInput, object>({
    writes: false,
    permissions: () => [{ action: 'glue:GetDataCatalogEncryptionSettings', resources: ['*'] }],
    run: (_, { world, caller, region }) => ({
      DataCatalogEncryptionSettings: {
        EncryptionAtRest: world.glue.catalog(caller.accountId, region).encryption,
        ConnectionPasswordEncryption: { ReturnConnectionPasswordEncrypted: false },
      },
    }),
  }),

  PutDataCatalogEncryptionSettings: operation<sdk.PutDataCatalogEncryptionSettingsCommandInput, object>({
    writes: true,
    permissions: () => [{ action: 'glue:PutDataCatalogEncryptionSettings', resources: ['*'] }],
    run({ DataCatalogEncryptionSettings: settings }, { world, caller, region }) {
      const wanted = settings?.EncryptionAtRest ?? { CatalogEncryptionMode: 'DISABLED' };
      if (!modes.includes(wanted.CatalogEncryptionMode ?? ''))
        throw new AwsError('InvalidInputException', `Unknown mode ${wanted.CatalogEncryptionMode ?? ''}`);
      world.glue.catalog(caller.accountId, region).encryption = wanted;
      return {};
    },
  }),
};
