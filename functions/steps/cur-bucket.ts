import type { LifecycleRule } from '@aws-sdk/client-s3';
import {
  AccountBucket,
  bucketActions,
  type BucketLocation,
  type BucketSeen,
  hasExpiry,
  newBucket,
  tlsOnlyStatement,
} from '../../shared/aws/bucket.ts';
import { mergeStatements, type PolicyDocument, samePolicy } from '../../shared/aws/policy-document.ts';
import { ownership, ownerTags, takenOverTags } from '../../shared/aws/tags.ts';
import { billingStatements, missingBillingRights } from '../../shared/billing/cur-bucket-policy.ts';
import { dataPath } from '../../shared/billing/report-location.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type StepChange } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['cur-bucket'];

interface Input {
  accountId: string;
  choice: Outputs['report-choice'];
  /** Null leaves the bucket's lifecycle as it is. */
  retention: LifecycleRule | null;
}

interface Observation {
  location: BucketLocation;
  /** Absent unless the bucket is ours to read, in the region it has to be in. */
  bucket?: BucketSeen;
  kmsKeyArn: string | null;
}

type Change = StepChange &
  (
    | { action: 'create-bucket' }
    | { action: 'tag-bucket'; tags: Record<string, string> }
    | { action: 'block-public-access' }
    | { action: 'put-bucket-policy'; policy: PolicyDocument }
    | { action: 'put-retention'; rules: LifecycleRule[] }
  );

export const curBucket = defineStep<'cur-bucket', Input, Observation, Change>({
  name: 'cur-bucket',
  summary: 'Makes the bucket AWS delivers the report to, or verifies the adopted one without changing it',
  permissions: {
    payer: [
      {
        actions: [...bucketActions, 's3:PutBucketTagging'],
        resources: ['arn:${AWS::Partition}:s3:::${CurBucket}'],
      },
    ],
  },
  lease: 'payer',

  input({ run }) {
    const choice = outputOf(run, 'report-choice');
    const { payerAccountId: accountId, report } = run.request;
    return {
      accountId,
      choice,
      retention: report.retentionDays === null ? null : retentionRule(choice, report.retentionDays),
    };
  },

  async observe(cx, { choice: { bucket: name, region, choice } }) {
    const bucket = new AccountBucket(cx.payer, name);
    const location = await bucket.locate();
    if (location === undefined || location === 'taken' || location.region !== region)
      return { location, kmsKeyArn: null };
    if (choice === 'adopt') {
      const [policy, kmsKeyArn] = await Promise.all([bucket.readPolicy(region), bucket.readKmsKey(region)]);
      return { location, bucket: { region, policy, tags: {}, publicAccessBlocked: true, lifecycle: [] }, kmsKeyArn };
    }
    const [seen, kmsKeyArn] = await Promise.all([bucket.read(region), bucket.readKmsKey(region)]);
    return { location, bucket: seen, kmsKeyArn };
  },

  plan(input, seen, situation): Plan<Change, Output> {
    const { bucket, region, choice } = input.choice;
    const output: Output = { bucket, region, adopted: choice === 'adopt', kmsKeyArn: seen.kmsKeyArn };
    if (choice === 'adopt') return planAdopted(input, seen, output);

    const resource = `arn:aws:s3:::${bucket}`;
    if (seen.location === 'taken')
      return { kind: 'refuse', code: 'bucket-name-taken', detail: `bucket ${bucket} belongs to another account` };
    if (seen.location && seen.location.region !== region)
      return {
        kind: 'refuse',
        code: 'bucket-in-other-region',
        detail: `bucket ${bucket} is in ${seen.location.region}, not in ${region}`,
      };
    if (!seen.bucket) {
      const settings = settingChanges(input, newBucket(region, situation.owner), resource);
      return { kind: 'change', changes: [{ action: 'create-bucket', resource }, ...settings], expected: output };
    }

    const owned = ownership(seen.bucket.tags, situation.owner);
    if (owned === 'other-deployment')
      return { kind: 'refuse', code: 'owned-by-another-deployment', detail: `bucket ${bucket}`, expected: output };
    if (owned === 'foreign' && situation.run.request.existing === 'refuse')
      return {
        kind: 'refuse',
        code: 'bucket-not-ours',
        detail: `bucket ${bucket} exists without our tags`,
        expected: output,
      };
    const changes: Change[] = [];
    if (owned === 'foreign') {
      const tags = { ...seen.bucket.tags, ...ownerTags(situation.owner), ...takenOverTags };
      changes.push({ action: 'tag-bucket', resource, tags });
    }
    changes.push(...settingChanges(input, seen.bucket, resource));
    return changesOrReady(changes, { output });
  },

  async apply(
    cx,
    change,
    {
      input: {
        choice: { bucket: name, region },
      },
    },
  ) {
    const bucket = new AccountBucket(cx.payer, name);
    switch (change.action) {
      case 'create-bucket':
        await bucket.create(region, cx.owner);
        break;
      case 'tag-bucket':
        await bucket.putTags(region, change.tags);
        break;
      case 'block-public-access':
        await bucket.blockPublicAccess(region);
        break;
      case 'put-bucket-policy':
        await bucket.putPolicy(region, change.policy);
        break;
      case 'put-retention':
        await bucket.putLifecycle(region, change.rules);
        break;
    }
    return 'changed';
  },
});

function settingChanges({ accountId, choice, retention }: Input, seen: BucketSeen, resource: string): Change[] {
  const { bucket } = choice;
  const changes: Change[] = [];
  if (!seen.publicAccessBlocked) changes.push({ action: 'block-public-access', resource });
  const policy = mergeStatements(seen.policy, [...billingStatements(bucket, accountId), tlsOnlyStatement(bucket)]);
  if (!seen.policy || !samePolicy(seen.policy, policy)) changes.push({ action: 'put-bucket-policy', resource, policy });
  if (retention && !hasExpiry(seen.lifecycle, retention)) {
    const rules = [...seen.lifecycle.filter(({ ID }) => ID !== retention.ID), retention];
    changes.push({
      action: 'put-retention',
      resource,
      note: `${retention.Expiration?.Days ?? 0}-day retention`,
      rules,
    });
  }
  return changes;
}

/** Only the data expires: the template, the status and the manifests' folder above it stay. */
function retentionRule(choice: Outputs['report-choice'], days: number): LifecycleRule {
  return {
    ID: `kubecost-retention-${choice.reportName}`,
    Status: 'Enabled',
    Filter: { Prefix: `${dataPath(choice)}/` },
    Expiration: { Days: days },
  };
}

function planAdopted(
  { accountId, choice }: Input,
  { location, bucket: seen }: Observation,
  output: Output,
): Plan<Change, Output> {
  const { bucket, region } = choice;
  const broken = (problem: string): Plan<Change, Output> => ({
    kind: 'refuse',
    code: 'adopted-bucket-broken',
    detail: `bucket ${bucket} of report ${choice.reportName} ${problem}`,
    expected: output,
  });
  if (location === undefined) return broken('does not exist');
  if (location === 'taken') return broken(`does not belong to account ${accountId}`);
  if (location.region !== region) return broken(`is in ${location.region}, the report says ${region}`);
  const missing = missingBillingRights(seen?.policy, bucket, accountId);
  if (missing.length > 0) return broken(`does not allow billingreports.amazonaws.com ${missing.join(' and ')}`);
  return { kind: 'ready', output };
}

export const handler = stepHandler(curBucket);
