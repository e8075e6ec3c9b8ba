import { ownership, ownerTags, takenOverTags } from '../../shared/aws/tags.ts';
import {
  curBucketPermissions,
  deliveryObstacle,
  observeAdoptedBucket,
  wantedCurBucket,
} from '../../shared/billing/cur-bucket.ts';
import { keyPermissions } from '../../shared/billing/keys-in-play.ts';
import {
  applyToBucket,
  bucketArn,
  type BucketChange,
  type BucketObservation,
  bucketOwnerProblem,
  creation,
  locationProblem,
  observeBucket,
  settingChanges,
  type WantedBucket,
} from '../../shared/billing/managed-bucket.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type Situation } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['cur-bucket'];
type BucketPlan = Plan<BucketChange, Output>;

interface Input {
  accountId: string;
  choice: Outputs['report-choice'];
  wanted: WantedBucket;
}

export const curBucket = defineStep<'cur-bucket', Input, BucketObservation, BucketChange>({
  name: 'cur-bucket',
  summary: 'Creates the bucket that AWS delivers the report to, or checks an adopted bucket without changing it',
  permissions: { payer: [curBucketPermissions.manage, keyPermissions.find] },
  lease: 'payer',

  input({ run }) {
    const choice = outputOf(run, 'report-choice');
    const { payerAccountId: accountId, report } = run.request;
    return { accountId, choice, wanted: wantedCurBucket(accountId, choice, report.retentionDays) };
  },

  observe(cx, { choice, wanted }) {
    return choice.choice === 'adopt' ? observeAdoptedBucket(cx.payer, choice) : observeBucket(cx.payer, wanted);
  },

  plan(input, seen, situation): BucketPlan {
    const { bucket, region, choice } = input.choice;
    const output: Output = { bucket, region, adopted: choice === 'adopt', kmsKeyArn: seen.kmsKeyArn };
    if (choice === 'adopt') return planAdopted(input, seen, output);
    const misplaced = locationProblem(input.wanted, seen.location);
    if (misplaced) return { kind: 'refuse', ...misplaced };
    if (!seen.bucket) return { kind: 'change', changes: creation(input.wanted, situation.owner), expected: output };
    return planExisting(input, seen.bucket, situation, output);
  },

  async apply(cx, change, { input: { wanted } }) {
    await applyToBucket(cx.payer, wanted, change, cx.owner);
    return 'changed';
  },
});

function planAdopted(
  { accountId, choice }: Input,
  { location, bucket }: BucketObservation,
  output: Output,
): BucketPlan {
  const obstacle = deliveryObstacle(accountId, choice, location, bucket?.policy);
  if (obstacle === undefined) return { kind: 'ready', output };
  const detail = `bucket ${choice.bucket} of report ${choice.reportName} ${obstacle}`;
  return { kind: 'refuse', code: 'adopted-bucket-broken', detail, expected: output };
}

function planExisting(
  { wanted }: Input,
  seen: NonNullable<BucketObservation['bucket']>,
  { owner, run }: Situation,
  output: Output,
): BucketPlan {
  const owned = ownership(seen.tags, owner);
  const problem = bucketOwnerProblem(wanted, owned, run.request.existing !== 'refuse');
  if (problem) return { kind: 'refuse', ...problem, expected: output };
  const tags = { ...seen.tags, ...ownerTags(owner), ...takenOverTags };
  const takeOver: BucketChange = { action: 'tag-bucket', resource: bucketArn(wanted.name), tags };
  return changesOrReady([...(owned === 'foreign' ? [takeOver] : []), ...settingChanges(wanted, seen)], { output });
}

export const handler = stepHandler(curBucket);
