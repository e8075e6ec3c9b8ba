import { athenaResultsBucketName } from '../../shared/aws/names.ts';
import { ownership } from '../../shared/aws/tags.ts';
import {
  applyToWorkgroup,
  findWorkgroup,
  type Workgroup,
  type WorkgroupChange,
  workgroupChanges,
  workgroupPermissions,
  type WorkgroupPlace,
  workgroupPlace,
  workgroupProblem,
} from '../../shared/billing/athena-workgroup.ts';
import { type BucketName, bucketNameWarnings, findBucketName } from '../../shared/billing/bucket-name.ts';
import { curBucketPermissions } from '../../shared/billing/cur-bucket.ts';
import { keyOfCatalog, keyOfWorkgroup, keyPermissions } from '../../shared/billing/keys-in-play.ts';
import {
  applyToBucket,
  type BucketChange,
  type BucketObservation,
  bucketOwnerProblem,
  creation,
  locationProblem,
  observeBucket,
  settingChanges,
} from '../../shared/billing/managed-bucket.ts';
import {
  resultsBucketPermissions,
  type ResultsPlace,
  resultsPlace,
  wantedResultsBucket,
} from '../../shared/billing/results-bucket.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['athena-results'];

interface Input {
  region: string;
  curBucket: string;
  workgroup: WorkgroupPlace;
  requestedBucket: string | undefined;
  defaultBucket: string;
  retentionDays: number;
}

interface Observation extends BucketObservation {
  defaultBucket: BucketName;
  /** Undefined if there is no such workgroup. */
  workgroup: Workgroup | undefined;
  /** ARNs of the keys that encrypt results: the workgroup's and the bucket's. */
  keyArns: string[];
  catalogKeyArn: string | null;
}

type Change = BucketChange | WorkgroupChange;

export const athenaResults = defineStep<'athena-results', Input, Observation, Change>({
  name: 'athena-results',
  summary: 'Sets up the Athena workgroup and the bucket for its results, which is never the report’s bucket',
  permissions: {
    payer: [
      resultsBucketPermissions.manage,
      workgroupPermissions.manage,
      curBucketPermissions.findOwner,
      keyPermissions.findCatalogKey,
    ],
  },
  lease: 'payer',

  input({ run }) {
    const { payerAccountId: accountId, athena } = run.request;
    const { region, bucket: curBucket } = outputOf(run, 'report-choice');
    return {
      region,
      curBucket,
      workgroup: workgroupPlace(accountId, region, athena.workgroup),
      requestedBucket: athena.resultsBucket,
      defaultBucket: athenaResultsBucketName(accountId, region),
      retentionDays: athena.resultsRetentionDays,
    };
  },

  async observe(cx, input) {
    const { region } = input;
    const workgroup = await findWorkgroup(cx.payer, input.workgroup);
    const usual = resultsPlace(input, workgroup);
    const defaultBucket = usual.isNamed
      ? { name: input.defaultBucket }
      : await findBucketName(cx.payer, input.defaultBucket, region);
    const { bucket: name } = resultsPlace({ ...input, defaultBucket: defaultBucket.name }, workgroup);
    const [bucket, workgroupKey, catalogKeyArn] = await Promise.all([
      observeBucket(cx.payer, { name, region }),
      keyOfWorkgroup(cx.payer, region, workgroup?.kmsKey),
      keyOfCatalog(cx.payer, region),
    ]);
    const keyArns = [workgroupKey, bucket.kmsKeyArn].filter((arn) => arn !== null);
    return { workgroup, defaultBucket, ...bucket, keyArns: [...new Set(keyArns)], catalogKeyArn };
  },

  plan(input, seen, { owner, run }): Plan<Change, Output> {
    const { region } = input;
    const results = placeOf(input, seen);
    const warnings = bucketNameWarnings(results.bucket, input.defaultBucket, region);
    const problem = problemOf(input, seen, results);
    if (problem) return { kind: 'refuse', ...problem };
    const output: Output = {
      athenaWorkgroup: input.workgroup.name,
      athenaResultsBucket: results.bucket,
      athenaResultsLocation: results.location,
      athenaRegion: region,
      kmsKeyArn: seen.keyArns[0] ?? null,
      keyArns: seen.keyArns,
      catalogKeyArn: seen.catalogKeyArn,
    };
    const wanted = wantedResultsBucket(results.bucket, region, input.retentionDays);
    const ofWorkgroup = workgroupChanges(input.workgroup, seen.workgroup, results.location);
    if (!seen.bucket)
      return changesOrReady<Change, Output>([...creation(wanted, owner), ...ofWorkgroup], { output, warnings });

    const owned = ownership(seen.bucket.tags, owner);
    const mayBeForeign = results.isNamed || run.request.existing !== 'refuse';
    const notUsable = bucketOwnerProblem(wanted, owned, mayBeForeign);
    if (notUsable) return { kind: 'refuse', ...notUsable };
    // A bucket that is not ours stays as it is, because our expiry would delete its owner's objects.
    const ofBucket = owned === 'ours' ? settingChanges(wanted, seen.bucket) : [];
    return changesOrReady<Change, Output>([...ofBucket, ...ofWorkgroup], { output, warnings });
  },

  async apply(cx, change, { input, seen }) {
    const { region, workgroup } = input;
    if (change.action === 'create-workgroup' || change.action === 'set-workgroup-location')
      await applyToWorkgroup(cx.payer, workgroup, change, cx.owner);
    else {
      const { bucket: name } = placeOf(input, seen);
      await applyToBucket(cx.payer, { name, region }, change, cx.owner);
    }
    return 'changed';
  },
});

function placeOf(input: Input, { defaultBucket, workgroup }: Observation): ResultsPlace {
  return resultsPlace({ ...input, defaultBucket: defaultBucket.name }, workgroup);
}

/** Why results cannot go to the bucket; the first reason counts. */
function problemOf(
  { curBucket, region, requestedBucket, workgroup: place }: Input,
  { workgroup, location, defaultBucket }: Observation,
  { bucket }: ResultsPlace,
): Problem | undefined {
  const own = workgroup?.location;
  const isInCurBucket = bucket === curBucket;
  const differs = requestedBucket && own && own.split('/')[2] !== requestedBucket && workgroup.isEnforced;
  return (
    workgroupProblem(place, workgroup) ??
    (isInCurBucket
      ? { code: 'results-in-cur-bucket', detail: `workgroup ${place.name} would write to ${own ?? `s3://${bucket}`}` }
      : undefined) ??
    (differs ? { code: 'workgroup-location-differs', detail: `workgroup ${place.name} enforces ${own}` } : undefined) ??
    locationProblem(
      { name: bucket, region, parameter: 'AthenaResultsBucket' },
      defaultBucket.isDenied ? 'taken-or-unreadable' : location,
    )
  );
}

export const handler = stepHandler(athenaResults);
