import { AwsError } from '../../service.ts';
import type { World } from '../../world.ts';
import { deliveryProblem } from './bucket-check.ts';
import type { ReportDefinition } from './service.ts';
import { checkedDefinition } from './validation.ts';

/** The billing service does not see a newer bucket policy than this yet. */
const policyVisibleAfterMs = 4_000;

/** What PutReportDefinition checks, in this order. @throws AwsError */
export function checkCreation(world: World, accountId: string, wanted: Partial<ReportDefinition> = {}) {
  const { cur } = world;
  const definition = checkedDefinition(wanted);
  if (definition.S3Prefix !== '' && !/^.+[^/|.]$/.test(definition.S3Prefix)) throw prefixRefusal(definition.S3Prefix);
  const refusal = cur.refusals.get(accountId) ?? refusalOfTransfer(world, accountId);
  if (refusal) throw new AwsError(refusal.code, refusal.message, 400);
  if (cur.find(accountId, definition.ReportName))
    throw new AwsError('DuplicateReportNameException', `Report name ${definition.ReportName} already exists`);
  if (cur.ofAccount(accountId).length >= cur.reportLimit)
    throw new AwsError('ReportLimitReachedException', 'The account has reached its limit of report definitions');
  verifyBucket(world, accountId, definition);
  return definition;
}

/** AWS proves that it may write to the bucket. Some users see the refusal without a text (terraform-provider-aws#34391, #36086). */
export function verifyBucket(world: World, accountId: string, definition: ReportDefinition): void {
  const setAt = world.s3.buckets.get(definition.S3Bucket)?.policy?.setAt ?? 0;
  const visible = setAt <= world.clock.now() - policyVisibleAfterMs;
  if (!visible || deliveryProblem(world, { accountId, definition }, 'creation'))
    throw new AwsError(
      'ValidationException',
      world.cur.refusesWithoutText ? '' : 'Failed to verify customer bucket permission.',
    );
  world.s3.put(definition.S3Bucket, 'aws-programmatic-access-test-object', '');
}

/** Since 2025-11 only new reports are checked for this; existing ones keep their prefix (landing-zone-accelerator-on-aws#963). */
function prefixRefusal(prefix: string): AwsError {
  return new AwsError(
    'ValidationException',
    `1 validation error detected: Value '${prefix}' at 'reportDefinition.s3Prefix' failed to satisfy constraint: Member must satisfy regular expression pattern: ^.+[^/|.]$`,
  );
}

/** AWS offers reports of a billing transfer as data exports only (CUR User Guide, "Creating Cost and Usage Reports"). Its words are a guess. */
function refusalOfTransfer(world: World, accountId: string) {
  if (!world.organizations.hasTransferredBill(accountId, world.clock.now())) return undefined;
  return {
    code: 'AccessDeniedException',
    message: 'This account cannot create a Cost and Usage Report: another account manages its billing.',
  };
}
