import { athenaResultsBucketName } from '../../shared/aws/names.ts';
import {
  decideOnWorkgroup,
  observeRemovableWorkgroup,
  type RemovableWorkgroup,
  removeWorkgroup,
  workgroupPermissions,
  type WorkgroupPlace,
  workgroupPlace,
  type WorkgroupRemoval,
} from '../../shared/billing/athena-workgroup.ts';
import { bucketArn, EmptyingNotes, emptyingWaits, nextErasure } from '../../shared/billing/managed-bucket.ts';
import {
  decideOnResults,
  observeRemovableResults,
  type RemovableResults,
  removeResults,
  resultsBucketPermissions,
  type ResultsRemoval,
} from '../../shared/billing/results-bucket.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import {
  decideToKeep,
  type PayerDeparture,
  payerDepartureOf,
  type PayerUsers,
  payerUsersPermission,
  readPayerUsers,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady, waitFor } from '../../shared/step/plan-builders.ts';
import { combined, keepAll, type RemovalDecision } from '../../shared/step/removal-decision.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['remove-athena-results'];

interface Input {
  departure: PayerDeparture;
  /** Region of the report; null if no run has chosen a report, so that there are no results. */
  region: string | null;
  workgroup: WorkgroupPlace;
  bucket: string;
  /** True if the bucket has the name that runs give it. */
  isDefaultBucket: boolean;
  purge: boolean;
}

interface Observation {
  users: PayerUsers;
  workgroup?: RemovableWorkgroup | undefined;
  bucket?: RemovableResults | undefined;
}

type Change = WorkgroupRemoval | ResultsRemoval;

export const removeAthenaResults = defineStep<'remove-athena-results', Input, Observation, Change, EmptyingNotes>({
  name: 'remove-athena-results',
  summary: 'Deletes the results bucket and the workgroup that runs created, with the payer’s last target',
  permissions: {
    table: ['Query'],
    payer: [
      payerUsersPermission,
      resultsBucketPermissions.remove,
      resultsBucketPermissions.erase,
      workgroupPermissions.release,
      workgroupPermissions.delete,
    ],
  },
  lease: 'payer',
  notes: EmptyingNotes,
  waits: emptyingWaits,

  input({ run }) {
    const { payerAccountId: accountId, purge } = run.request;
    const { report, athenaWorkgroup, athenaResultsBucket } = outputOf(run, 'inventory');
    const region = report?.region ?? null;
    const defaultBucket = athenaResultsBucketName(accountId, region ?? '');
    const bucket = athenaResultsBucket ?? defaultBucket;
    return {
      departure: payerDepartureOf(run),
      region,
      workgroup: workgroupPlace(accountId, region ?? '', athenaWorkgroup),
      bucket,
      isDefaultBucket: bucket === defaultBucket,
      purge: purge.includes('results-bucket'),
    };
  },

  async observe(cx, { region, workgroup: place, bucket: name }) {
    const users = await readPayerUsers(cx);
    if (region === null) return { users };
    const [workgroup, bucket] = await Promise.all([
      observeRemovableWorkgroup(cx.payer, place, cx.owner),
      observeRemovableResults(cx.payer, name, region, cx.owner),
    ]);
    return { users, workgroup, bucket };
  },

  plan(input, seen, { changes: made, notes, now }): Plan<Change, Output, EmptyingNotes> {
    const reasons = decideToKeep(input.departure, seen.users);
    const { changes, kept } = reasons.length > 0 ? keepAll(oursAmong(input, seen), reasons) : decide(input, seen);
    const expected = removalOf(made, kept, changes);
    const erasure = nextErasure(input.bucket, changes, { notes, now });
    if (erasure) return waitFor(erasure, expected);
    return changesOrReady(changes, { output: removalOf(made, kept), expected });
  },

  async apply(cx, change, { input: { region, workgroup, bucket } }) {
    if (region === null) return 'not-changed';
    if (change.action === 'delete-workgroup' || change.action === 'unset-workgroup-location') {
      await removeWorkgroup(cx.payer, workgroup, change);
      return 'changed';
    }
    if (!(await removeResults(cx.payer, bucket, region, change))) return 'not-changed';
    return change.action === 'delete-objects' ? { outcome: 'changed', notes: { erasedAt: cx.now } } : 'changed';
  },
});

/** Keeps what runs created as long as other targets use it. */
function oursAmong({ bucket, workgroup }: Input, seen: Observation): string[] {
  return [
    ...(seen.bucket?.ownership === 'ours' ? [bucketArn(bucket)] : []),
    ...(seen.workgroup?.ownership === 'ours' ? [workgroup.arn] : []),
  ];
}

function decide(input: Input, seen: Observation): RemovalDecision<Change> {
  const { bucket: name, workgroup: place, purge, isDefaultBucket } = input;
  const bucket = seen.bucket && decideOnResults(name, seen.bucket, purge);
  const isLost = bucket ? bucket.changes.length > 0 : isDefaultBucket;
  const workgroup = seen.workgroup && decideOnWorkgroup(place, seen.workgroup, isLost ? name : undefined);
  return combined<Change>([workgroup, bucket]);
}

export const handler = stepHandler(removeAthenaResults);
