import { AthenaClient, CreateWorkGroupCommand, UpdateWorkGroupCommand } from '@aws-sdk/client-athena';
import type { LifecycleRule } from '@aws-sdk/client-s3';
import { findWorkgroup, type Workgroup } from '../../shared/aws/athena.ts';
import {
  AccountBucket,
  bucketActions,
  type BucketLocation,
  type BucketSeen,
  hasExpiry,
  newBucket,
  tlsOnlyStatement,
} from '../../shared/aws/bucket.ts';
import { athenaResultsBucketName } from '../../shared/aws/names.ts';
import { mergeStatements, type PolicyDocument, samePolicy } from '../../shared/aws/policy-document.ts';
import { ownership, ownerTags, toTagList } from '../../shared/aws/tags.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type StepChange } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['athena-results'];

interface Input {
  accountId: string;
  region: string;
  curBucket: string;
  workgroup: string;
  requestedBucket: string | undefined;
  defaultBucket: string;
  expiry: LifecycleRule;
}

/** Where results go, and whether the bucket was named by somebody, who then answers for it. */
interface Results {
  bucket: string;
  location: string;
  named: boolean;
}

interface Observation {
  /** Undefined if there is no such workgroup. */
  workgroup: Workgroup | undefined;
  location: BucketLocation;
  bucket?: BucketSeen;
  kmsKeyArn: string | null;
}

type Change = StepChange &
  (
    | { action: 'create-bucket' }
    | { action: 'block-public-access' }
    | { action: 'put-bucket-policy'; policy: PolicyDocument }
    | { action: 'put-expiry'; rules: LifecycleRule[] }
    | { action: 'create-workgroup'; location: string }
    | { action: 'set-workgroup-location'; location: string }
  );

export const athenaResults = defineStep<'athena-results', Input, Observation, Change>({
  name: 'athena-results',
  summary: 'Gives Athena a place for query results, never in the report’s bucket',
  permissions: {
    payer: [
      {
        actions: bucketActions,
        resources: ['arn:${AWS::Partition}:s3:::${AthenaResultsBucket}'],
      },
      {
        actions: ['athena:CreateWorkGroup', 'athena:GetWorkGroup', 'athena:TagResource', 'athena:UpdateWorkGroup'],
        resources: ['arn:${AWS::Partition}:athena:*:${AWS::AccountId}:workgroup/${AthenaWorkgroup}'],
      },
    ],
  },
  lease: 'payer',

  input({ run }) {
    const { payerAccountId: accountId, athena } = run.request;
    const { region, bucket: curBucket } = outputOf(run, 'report-choice');
    return {
      accountId,
      region,
      curBucket,
      workgroup: athena.workgroup,
      requestedBucket: athena.resultsBucket,
      defaultBucket: athenaResultsBucketName(accountId, region),
      expiry: {
        ID: 'kubecost-expire-results',
        Status: 'Enabled',
        Filter: { Prefix: '' },
        Expiration: { Days: athena.resultsRetentionDays },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
      },
    };
  },

  async observe(cx, input) {
    const workgroup = await findWorkgroup(cx.payer.client(AthenaClient, input.region), input.workgroup);
    const { bucket: name } = resultsOf(input, workgroup);
    const bucket = new AccountBucket(cx.payer, name);
    const location = await bucket.locate();
    if (location === undefined || location === 'taken' || location.region !== input.region)
      return { workgroup, location, kmsKeyArn: null };
    const [seen, kmsKeyArn] = await Promise.all([bucket.read(input.region), bucket.readKmsKey(input.region)]);
    return { workgroup, location, bucket: seen, kmsKeyArn };
  },

  plan(input, seen, situation): Plan<Change, Output> {
    const { workgroup: name, region, accountId } = input;
    const results = resultsOf(input, seen.workgroup);
    const refusal = refusalOf(input, seen, results);
    if (refusal) return refusal;
    const output: Output = {
      athenaWorkgroup: name,
      athenaResultsBucket: results.bucket,
      athenaResultsLocation: results.location,
      athenaRegion: region,
      kmsKeyArn: seen.workgroup?.kmsKeyArn ?? seen.kmsKeyArn,
    };

    const resource = `arn:aws:s3:::${results.bucket}`;
    const workgroupArn = `arn:aws:athena:${region}:${accountId}:workgroup/${name}`;
    const workgroup = workgroupChanges(seen.workgroup, workgroupArn, results.location);
    if (!seen.bucket) {
      const settings = bucketChanges(input, newBucket(region, situation.owner), resource);
      return {
        kind: 'change',
        changes: [{ action: 'create-bucket', resource }, ...settings, ...workgroup],
        expected: output,
      };
    }
    const owned = ownership(seen.bucket.tags, situation.owner);
    if (owned === 'other-deployment')
      return { kind: 'refuse', code: 'owned-by-another-deployment', detail: `bucket ${results.bucket}` };
    // Taken over means used as it is: our expiry would delete what others keep there.
    if (owned === 'foreign' && !results.named && situation.run.request.existing === 'refuse')
      return { kind: 'refuse', code: 'bucket-not-ours', detail: `bucket ${results.bucket} exists without our tags` };
    const settings = owned === 'ours' ? bucketChanges(input, seen.bucket, resource) : [];
    return changesOrReady([...settings, ...workgroup], { output });
  },

  async apply(cx, change, { input }) {
    const { region, workgroup: name } = input;
    const bucket = new AccountBucket(cx.payer, change.resource.replace('arn:aws:s3:::', ''));
    const athena = cx.payer.client(AthenaClient, region);
    switch (change.action) {
      case 'create-bucket':
        await bucket.create(region, cx.owner);
        break;
      case 'block-public-access':
        await bucket.blockPublicAccess(region);
        break;
      case 'put-bucket-policy':
        await bucket.putPolicy(region, change.policy);
        break;
      case 'put-expiry':
        await bucket.putLifecycle(region, change.rules);
        break;
      case 'create-workgroup':
        await athena.send(
          new CreateWorkGroupCommand({
            Name: name,
            Configuration: {
              EnforceWorkGroupConfiguration: false,
              ResultConfiguration: { OutputLocation: change.location },
            },
            Tags: toTagList(ownerTags(cx.owner)),
          }),
        );
        break;
      case 'set-workgroup-location':
        await athena.send(
          new UpdateWorkGroupCommand({
            WorkGroup: name,
            ConfigurationUpdates: { ResultConfigurationUpdates: { OutputLocation: change.location } },
          }),
        );
    }
    return 'changed';
  },
});

/**
 * The workgroup's own location if it has one, for the workgroup may enforce it; else the requested or our own bucket. Without a
 * slash at the end, however the workgroup spells it: the text is part of the key under which Kubecost keeps its data, and Athena
 * takes both for the same place.
 */
function resultsOf({ requestedBucket, defaultBucket }: Input, workgroup: Workgroup | undefined): Results {
  const location = workgroup?.location?.replace(/\/+$/, '');
  const own = location?.split('/')[2];
  if (location && own && (requestedBucket === undefined || requestedBucket === own))
    return { bucket: own, location, named: true };
  const bucket = requestedBucket ?? defaultBucket;
  return { bucket, location: `s3://${bucket}`, named: requestedBucket !== undefined };
}

function refusalOf(
  { workgroup: name, curBucket, region, requestedBucket }: Input,
  { workgroup, location }: Observation,
  { bucket }: Results,
): Extract<Plan<Change, Output>, { kind: 'refuse' }> | undefined {
  const own = workgroup?.location;
  if (workgroup?.isDisabled) return { kind: 'refuse', code: 'workgroup-disabled', detail: `workgroup ${name}` };
  if (workgroup?.hasManagedResults)
    return { kind: 'refuse', code: 'workgroup-managed-results', detail: `workgroup ${name}` };
  if (bucket === curBucket)
    return { kind: 'refuse', code: 'results-in-cur-bucket', detail: `workgroup ${name}: ${own ?? `s3://${bucket}`}` };
  if (requestedBucket && own && own.split('/')[2] !== requestedBucket && workgroup.isEnforced)
    return { kind: 'refuse', code: 'workgroup-location-differs', detail: `workgroup ${name} enforces ${own}` };
  if (location === 'taken')
    return { kind: 'refuse', code: 'bucket-name-taken', detail: `bucket ${bucket} belongs to another account` };
  if (location && location.region !== region)
    return {
      kind: 'refuse',
      code: 'bucket-in-other-region',
      detail: `bucket ${bucket} is in ${location.region}, not in ${region}`,
    };
  return undefined;
}

/** A location somebody has set stays. */
function workgroupChanges(workgroup: Workgroup | undefined, resource: string, location: string): Change[] {
  if (!workgroup) return [{ action: 'create-workgroup', resource, location }];
  return workgroup.location ? [] : [{ action: 'set-workgroup-location', resource, location }];
}

function bucketChanges({ expiry }: Input, seen: BucketSeen, resource: string): Change[] {
  const bucket = resource.replace('arn:aws:s3:::', '');
  const changes: Change[] = [];
  if (!seen.publicAccessBlocked) changes.push({ action: 'block-public-access', resource });
  const policy = mergeStatements(seen.policy, [tlsOnlyStatement(bucket)]);
  if (!seen.policy || !samePolicy(seen.policy, policy)) changes.push({ action: 'put-bucket-policy', resource, policy });
  if (!hasExpiry(seen.lifecycle, expiry)) {
    const rules = [...seen.lifecycle.filter(({ ID }) => ID !== expiry.ID), expiry];
    changes.push({ action: 'put-expiry', resource, note: `${expiry.Expiration?.Days ?? 0}-day expiry`, rules });
  }
  return changes;
}

export const handler = stepHandler(athenaResults);
