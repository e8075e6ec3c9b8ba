import { coversBucket } from '../../shared/access/access-template.ts';
import { ownership, ownerTags, takenOverTags } from '../../shared/aws/tags.ts';
import {
  bucketWarnings,
  type CurBucketObservation,
  judgeAdoptedBucket,
  observeAdoptedBucket,
  tieringPermission,
} from '../../shared/billing/adopted-bucket.ts';
import { curBucketPermissions, wantedCurBucket } from '../../shared/billing/cur-bucket.ts';
import { keyPermissions } from '../../shared/billing/keys-in-play.ts';
import {
  applyToBucket,
  bucketArn,
  type BucketChange,
  bucketOwnerProblem,
  creation,
  locationProblem,
  observeBucket,
  settingChanges,
  type WantedBucket,
} from '../../shared/billing/managed-bucket.ts';
import { isFresh } from '../../shared/billing/report-evidence.ts';
import { outputOf } from '../../shared/model/run.ts';
import { type Outputs, parseOutput } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type Situation } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['cur-bucket'];
type BucketPlan = Plan<BucketChange, Output>;

interface Input {
  accountId: string;
  choice: Outputs['report-choice'];
  wanted: WantedBucket;
  /** False if the access template excludes the bucket. */
  isCovered: boolean;
}

export const curBucket = defineStep<'cur-bucket', Input, CurBucketObservation, BucketChange>({
  name: 'cur-bucket',
  summary: 'Creates the bucket that AWS delivers the report to, or checks an adopted bucket without changing it',
  permissions: {
    payer: [curBucketPermissions.manage, curBucketPermissions.findOwner, tieringPermission, keyPermissions.find],
  },
  lease: 'payer',

  input({ run }) {
    const choice = outputOf(run, 'report-choice');
    const { payerAccountId: accountId, report } = run.request;
    const access = parseOutput('preflight', run.steps.preflight?.output)?.access ?? null;
    return {
      accountId,
      choice,
      wanted: wantedCurBucket(accountId, choice, report.retentionDays),
      isCovered: coversBucket(access, choice.bucket) !== false,
    };
  },

  async observe(cx, { choice, wanted }) {
    if (choice.choice === 'adopt') return observeAdoptedBucket(cx.payer, choice);
    return { ...(await observeBucket(cx.payer, wanted)), tierings: [] };
  },

  plan(input, seen, situation): BucketPlan {
    const { bucket, region, choice } = input.choice;
    const output: Output = { bucket, region, adopted: choice === 'adopt', kmsKeyArn: seen.kmsKeyArn };
    if (choice === 'adopt') return planAdopted(input, seen, situation, output);
    const misplaced = locationProblem(input.wanted, input.isCovered ? seen.location : 'unreadable');
    if (misplaced) return { kind: 'refuse', ...misplaced };
    if (!seen.bucket) return { kind: 'change', changes: creation(input.wanted, situation.owner), expected: output };
    return planExisting(input, seen, seen.bucket, situation, output);
  },

  async apply(cx, change, { input: { wanted } }) {
    await applyToBucket(cx.payer, wanted, change, cx.owner);
    return 'changed';
  },
});

function planAdopted(
  { accountId, choice }: Input,
  seen: CurBucketObservation,
  { now }: Situation,
  output: Output,
): BucketPlan {
  const isDelivered = choice.deliveredAt !== null && isFresh(Date.parse(choice.deliveredAt), now);
  const { problem, warnings } = judgeAdoptedBucket(accountId, choice, seen, isDelivered);
  if (problem) return { kind: 'refuse', ...problem, expected: output };
  return { kind: 'ready', output, warnings: [...warnings, ...bucketWarnings(choice, seen)] };
}

function planExisting(
  { wanted, choice }: Input,
  observation: CurBucketObservation,
  seen: NonNullable<CurBucketObservation['bucket']>,
  { owner, run }: Situation,
  output: Output,
): BucketPlan {
  const owned = ownership(seen.tags, owner);
  const problem = bucketOwnerProblem(wanted, owned, run.request.existing !== 'refuse');
  if (problem) return { kind: 'refuse', ...problem, expected: output };
  const tags = { ...seen.tags, ...ownerTags(owner), ...takenOverTags };
  const takeOver: BucketChange = { action: 'tag-bucket', resource: bucketArn(wanted.name), tags };
  return changesOrReady([...(owned === 'foreign' ? [takeOver] : []), ...settingChanges(wanted, seen)], {
    output,
    warnings: bucketWarnings(choice, observation),
  });
}

export const handler = stepHandler(curBucket);
