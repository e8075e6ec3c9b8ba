import type { StartQueryExecutionCommandInput } from '@aws-sdk/client-athena';
import type { CallContext } from '../../service.ts';
import { defaultKey } from '../s3/object-keys.ts';
import { findWorkgroup } from './state.ts';

/**
 * ARN of the KMS key of a query's results: the workgroup's if it is enforced or the client names none, else the client's; else the
 * bucket's. Undefined for S3's own keys.
 */
export function resultsKey(
  { WorkGroup = 'primary', ResultConfiguration }: StartQueryExecutionCommandInput,
  bucketName: string,
  cx: CallContext,
): string | undefined {
  const { configuration } = findWorkgroup(cx, WorkGroup);
  const own = configuration.ResultConfiguration?.EncryptionConfiguration;
  const client = ResultConfiguration?.EncryptionConfiguration;
  const encryption = configuration.EnforceWorkGroupConfiguration ? own : (client ?? own);
  const bucket = cx.world.s3.buckets.get(bucketName);
  if (!encryption) return bucket && defaultKey(cx.world, bucket);
  if (encryption.EncryptionOption === 'SSE_S3') return undefined;
  return cx.world.kms.arnOf(cx.caller.accountId, cx.region, encryption.KmsKey ?? 'alias/aws/s3');
}
