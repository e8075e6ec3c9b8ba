import {
  type BucketRemoval,
  curBucketPermissions,
  dataArn,
  decideOnBucket,
  decideOnData,
  observeRemovableBucket,
  type RemovableBucket,
  removeFromBucket,
} from '../../shared/billing/cur-bucket.ts';
import { EmptyingNotes, emptyingWaits, nextErasure } from '../../shared/billing/managed-bucket.ts';
import {
  deleteReport,
  listReports,
  type Report,
  reportArn,
  reportPermissions,
} from '../../shared/billing/report-definition.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { targetId } from '../../shared/model/target.ts';
import {
  decideToKeep,
  type PayerDeparture,
  payerDepartureOf,
  type PayerUsers,
  payerUsersPermission,
  readPayerUsers,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan, type StepChange } from '../../shared/step/contract.ts';
import { changesOrReady, waitFor } from '../../shared/step/plan-builders.ts';
import { combined, keepAll, type RemovalDecision } from '../../shared/step/removal-decision.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { markReportPurged } from '../../shared/targets/purged-reports.ts';
import { deletePayerTarget } from '../../shared/targets/targets-of-payer.ts';

type Output = Outputs['remove-report'];
type Place = NonNullable<Outputs['inventory']['report']>;

interface Input {
  departure: PayerDeparture;
  /** Null if no run has chosen a report. */
  report: Place | null;
  purgeReport: boolean;
  purgeData: boolean;
  /** False in a dry run, which keeps the table's items. */
  forget: boolean;
}

interface Observation {
  users: PayerUsers;
  definition: Report | undefined;
  /** Other reports that deliver to the same bucket. */
  neighbours: string[];
  bucket: RemovableBucket | undefined;
}

type Change = BucketRemoval | (StepChange & { action: 'delete-report' }) | (StepChange & { action: 'forget-target' });

export const removeReport = defineStep<'remove-report', Input, Observation, Change, EmptyingNotes>({
  name: 'remove-report',
  summary: 'Deletes the report and its data, each only if the request’s purge names it',
  permissions: {
    table: ['DeleteItem', 'PutItem', 'Query'],
    payer: [
      payerUsersPermission,
      reportPermissions.list,
      reportPermissions.delete,
      curBucketPermissions.remove,
      curBucketPermissions.erase,
    ],
  },
  lease: 'payer',
  notes: EmptyingNotes,
  waits: emptyingWaits,

  input({ run }) {
    const { purge, dryRun } = run.request;
    return {
      departure: payerDepartureOf(run),
      report: outputOf(run, 'inventory').report,
      purgeReport: purge.includes('report'),
      purgeData: purge.includes('data'),
      forget: !dryRun,
    };
  },

  async observe(cx, { report }) {
    const users = await readPayerUsers(cx);
    if (!report) return { users, definition: undefined, neighbours: [], bucket: undefined };
    const [reports, bucket] = await Promise.all([
      listReports(cx.payer),
      observeRemovableBucket(cx.payer, report, cx.owner),
    ]);
    const isThis = ({ reportName, bucket: delivered, prefix }: Report) =>
      reportName === report.reportName && delivered === report.bucket && prefix === report.prefix;
    return {
      users,
      definition: reports.find(isThis),
      neighbours: reports
        .filter((other) => !isThis(other) && other.bucket === report.bucket)
        .map(({ reportName }) => reportName),
      bucket,
    };
  },

  plan(input, seen, { changes: made, notes, now }): Plan<Change, Output, EmptyingNotes> {
    const { changes, kept } = decide(input, seen);
    const expected = removalOf(made, kept, changes);
    const erasure = nextErasure(input.report?.bucket ?? '', changes, { notes, now });
    if (erasure) return waitFor(erasure, expected);
    return changesOrReady(changes.length > 0 ? changes : forgetting(input, seen), {
      output: removalOf(made, kept),
      expected,
    });
  },

  async apply(cx, change, { input: { report, departure } }) {
    if (change.action === 'forget-target') {
      await deletePayerTarget(departure.payerAccountId, departure.target);
      return 'bookkeeping';
    }
    if (!report) return 'not-changed';
    if (change.action === 'delete-report') {
      await markReportPurged(departure.payerAccountId, report.reportName);
      await deleteReport(cx.payer, report.reportName);
      return 'changed';
    }
    if (!(await removeFromBucket(cx.payer, report, change))) return 'not-changed';
    return change.action === 'delete-objects' ? { outcome: 'changed', notes: { erasedAt: cx.now } } : 'changed';
  },
});

function decide(input: Input, seen: Observation): RemovalDecision<Change> {
  const { report } = input;
  if (!report) return { changes: [], kept: [] };
  const reasons = [
    ...decideToKeep(input.departure, seen.users),
    ...(seen.bucket?.ownership === 'other-deployment' ? ['it belongs to another deployment'] : []),
  ];
  const { definition, neighbours, bucket } = seen;
  if (reasons.length > 0) {
    const arn = reportArn(input.departure.payerAccountId, report.reportName);
    return keepAll([...(definition ? [arn] : []), ...(bucket?.holdsData ? [dataArn(report)] : [])], reasons);
  }
  const { purgeReport, purgeData } = input;
  const isDelivering = definition !== undefined && !purgeReport;
  return combined<Change>([
    definition && decideOnDefinition(input, report),
    bucket && decideOnData(report, bucket, purgeData),
    bucket && decideOnBucket(report.bucket, bucket, { neighbours, isDelivering, purgeData }),
  ]);
}

function decideOnDefinition({ departure, purgeReport }: Input, { reportName }: Place): RemovalDecision<Change> {
  const resource = reportArn(departure.payerAccountId, reportName);
  if (purgeReport) return { changes: [{ action: 'delete-report', resource }], kept: [] };
  return keepAll(
    [resource],
    ['kept unless purge names report: AWS continues to deliver it, and the storage costs money'],
  );
}

/** The last change: until then the table shows which target's offboarding removes the payer's resources. */
function forgetting({ departure, forget }: Input, { users }: Observation): Change[] {
  const own = targetId(departure.target);
  return forget && users.targets.some(({ targetId: id }) => id === own)
    ? [{ action: 'forget-target', resource: own }]
    : [];
}

export const handler = stepHandler(removeReport);
