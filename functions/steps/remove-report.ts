import * as z from 'zod';
import { AccountBucket, tlsOnlySid } from '../../shared/aws/bucket.ts';
import type { PolicyDocument } from '../../shared/aws/policy-document.ts';
import { isTakenOver, ownership, ownerTags, takenOverTags } from '../../shared/aws/tags.ts';
import { billingSids } from '../../shared/billing/cur-bucket-policy.ts';
import { deleteReport, listReports, type Report, reportArn } from '../../shared/billing/report-definition.ts';
import { reportRoot } from '../../shared/billing/report-location.ts';
import type { Ownership } from '../../shared/model/ownership.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Removal } from '../../shared/model/step-outputs.ts';
import { targetId } from '../../shared/model/target.ts';
import {
  type Leaving,
  leavingOf,
  type PayerUsers,
  readPayerUsers,
  reasonsToStay,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan, type StepChange, type StepContext } from '../../shared/step/contract.ts';
import { changesOrReady, waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { deletePayerTarget } from '../../shared/targets/payer-targets.ts';
import { markReportPurged } from '../../shared/targets/purged-reports.ts';

type Output = Outputs['remove-report'];
type Place = NonNullable<Outputs['inventory']['report']>;

interface Input {
  leaving: Leaving;
  /** Null if no run ever chose one. */
  report: Place | null;
  purgeReport: boolean;
  purgeData: boolean;
  /** In a dry run the table keeps what it knows. */
  forget: boolean;
}

interface BucketSeen {
  ownership: Ownership;
  takenOver: boolean;
  tags: Record<string, string>;
  policy: PolicyDocument | undefined;
  holdsData: boolean;
  holdsTestObject: boolean;
  /** True if it holds anything else, as far as its first thousand keys tell. */
  holdsMore: boolean;
}

interface Observation {
  users: PayerUsers;
  definition: Report | undefined;
  /** Other reports that deliver to the same bucket. */
  neighbours: string[];
  /** Absent if this account has no such bucket in the report's region. */
  bucket: BucketSeen | undefined;
}

type Change = StepChange &
  (
    | { action: 'delete-report' | 'delete-objects' | 'delete-test-object' | 'delete-bucket' | 'forget-target' }
    | { action: 'put-bucket-policy'; policy: PolicyDocument }
    | { action: 'remove-bucket-policy' }
    | { action: 'untag-bucket'; tags: Record<string, string> }
  );

/** AWS writes it to the bucket's root to see whether it may. */
const testObject = 'aws-programmatic-access-test-object';

/** `erasedAt`: when objects were last deleted, milliseconds since the epoch. */
const Notes = z.object({ erasedAt: z.number().optional() });
type Notes = z.infer<typeof Notes>;

export const removeReport = defineStep<'remove-report', Input, Observation, Change, Notes>({
  name: 'remove-report',
  summary: 'Deletes the report, and what AWS delivered, only where the request’s purge names them',
  permissions: {
    table: ['DeleteItem', 'PutItem', 'Query'],
    payer: [
      { actions: ['iam:GetRole'], resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}'] },
      { actions: ['cur:DescribeReportDefinitions'], resources: ['*'] },
      {
        actions: ['cur:DeleteReportDefinition'],
        resources: ['arn:${AWS::Partition}:cur:us-east-1:${AWS::AccountId}:definition/*'],
      },
      {
        actions: [
          's3:DeleteBucket',
          's3:DeleteBucketPolicy',
          's3:GetBucketLocation',
          's3:GetBucketPolicy',
          's3:GetBucketTagging',
          's3:ListBucketVersions',
          's3:PutBucketPolicy',
          's3:PutBucketTagging',
        ],
        resources: ['arn:${AWS::Partition}:s3:::${CurBucket}'],
      },
      {
        actions: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
        resources: ['arn:${AWS::Partition}:s3:::${CurBucket}/*'],
      },
    ],
  },
  lease: 'payer',
  notes: Notes,

  input({ run }) {
    const { purge, dryRun } = run.request;
    return {
      leaving: leavingOf(run),
      report: outputOf(run, 'inventory').report,
      purgeReport: purge.includes('report'),
      purgeData: purge.includes('data'),
      forget: !dryRun,
    };
  },

  async observe(cx, { report }) {
    const users = await readPayerUsers(cx);
    if (!report) return { users, definition: undefined, neighbours: [], bucket: undefined };
    const [reports, bucket] = await Promise.all([listReports(cx.payer), readBucket(cx, report)]);
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

  plan(input, seen, { changes: made, notes, now }): Plan<Change, Output, Notes> {
    const { changes, kept } = input.report ? decide(input, input.report, seen) : { changes: [], kept: [] };
    if (changes.some(({ action }) => action === 'delete-objects') && notes.erasedAt === now)
      return waitFor(
        {
          reason: `the remaining objects of bucket ${input.report?.bucket ?? ''} to be deleted`,
          seconds: 2,
          deadlineSeconds: 24 * 3600,
          overdue: 'bucket-not-emptied',
        },
        removalOf(made, kept, changes),
      );
    return changesOrReady(changes.length > 0 ? changes : forgetting(input, seen), {
      output: removalOf(made, kept),
      expected: removalOf(made, kept, changes),
    });
  },

  async apply(
    cx,
    change,
    {
      input: {
        report,
        leaving: { payerAccountId, target },
      },
    },
  ) {
    if (change.action === 'forget-target') {
      await deletePayerTarget(payerAccountId, target);
      return 'bookkeeping';
    }
    if (!report) return 'not-changed';
    const { reportName, region } = report;
    const bucket = new AccountBucket(cx.payer, report.bucket);
    switch (change.action) {
      case 'delete-report':
        await markReportPurged(payerAccountId, reportName);
        await deleteReport(cx.payer, reportName);
        break;
      case 'delete-objects':
        await bucket.erase(region, reportRoot(report));
        return { outcome: 'changed', notes: { erasedAt: cx.now } };
      case 'delete-test-object':
        await bucket.erase(region, testObject);
        break;
      case 'put-bucket-policy':
        await bucket.putPolicy(region, change.policy);
        break;
      case 'remove-bucket-policy':
        await bucket.deletePolicy(region);
        break;
      case 'untag-bucket':
        await bucket.replaceTags(region, change.tags);
        break;
      case 'delete-bucket':
        return (await bucket.delete(region)) ? 'changed' : 'not-changed';
    }
    return 'changed';
  },
});

async function readBucket(cx: StepContext<'offboarding'>, report: Place): Promise<BucketSeen | undefined> {
  const { region } = report;
  const bucket = new AccountBucket(cx.payer, report.bucket);
  const location = await bucket.locate();
  if (location === undefined || location === 'taken' || location.region !== region) return undefined;
  const root = reportRoot(report);
  const [tags, policy, data, keys] = await Promise.all([
    bucket.readTags(region),
    bucket.readPolicy(region),
    bucket.someKeys(region, root),
    bucket.someKeys(region),
  ]);
  return {
    ownership: ownership(tags, cx.owner),
    takenOver: isTakenOver(tags),
    tags,
    policy,
    holdsData: data.length > 0,
    holdsTestObject: keys.includes(testObject),
    holdsMore: keys.some((key) => key !== testObject && !key.startsWith(root)),
  };
}

interface Decision {
  changes: Change[];
  kept: Removal['kept'];
}

function decide(input: Input, report: Place, seen: Observation): Decision {
  const { definition, bucket } = seen;
  const arn = reportArn(input.leaving.payerAccountId, report.reportName);
  const data = `arn:aws:s3:::${report.bucket}/${reportRoot(report)}*`;
  const stays = [
    ...reasonsToStay(input.leaving, seen.users),
    ...(bucket?.ownership === 'other-deployment' ? ['it belongs to another deployment'] : []),
  ];
  if (stays.length > 0) {
    const resources = [...(definition ? [arn] : []), ...(bucket?.holdsData ? [data] : [])];
    return { changes: [], kept: resources.flatMap((resource) => stays.map((why) => ({ resource, why }))) };
  }

  const changes: Change[] = [];
  const kept: Removal['kept'] = [];
  if (definition && input.purgeReport) changes.push({ action: 'delete-report', resource: arn });
  else if (definition)
    kept.push({
      resource: arn,
      why: 'kept unless purge names report: AWS goes on delivering, at the price of the storage',
    });
  if (bucket?.holdsData && input.purgeData) changes.push({ action: 'delete-objects', resource: data });
  else if (bucket?.holdsData)
    kept.push({ resource: data, why: 'CUR data is kept unless purge names data; its storage goes on costing' });
  const isDelivering = definition !== undefined && !input.purgeReport;
  if (bucket) addBucket({ changes, kept }, input, report, seen.neighbours, bucket, isDelivering);
  return { changes, kept };
}

/** Adds what becomes of the bucket once nothing delivers to it any more. */
function addBucket(
  { changes, kept }: Decision,
  { purgeData }: Input,
  { bucket: name }: Place,
  neighbours: string[],
  bucket: BucketSeen,
  isDelivering: boolean,
): void {
  const resource = `arn:aws:s3:::${name}`;
  const keep = (why: string) => kept.push({ resource, why });
  if (neighbours.length > 0) {
    keep(`other reports deliver to it: ${neighbours.join(', ')}`);
    return;
  }
  if (bucket.ownership !== 'ours') {
    keep('adopted: of its content only the report’s data is ever deleted');
    return;
  }
  if (isDelivering) {
    keep('the report delivers to it');
    return;
  }
  if (purgeData && !bucket.takenOver && !bucket.holdsMore) {
    if (bucket.holdsTestObject) changes.push({ action: 'delete-test-object', resource: `${resource}/${testObject}` });
    changes.push({ action: 'delete-bucket', resource });
    return;
  }
  keep(bucketReason(bucket));
  const sids: readonly string[] = bucket.takenOver ? [...billingSids, tlsOnlySid] : billingSids;
  const statements = bucket.policy?.Statement ?? [];
  const others = statements.filter(({ Sid = '' }) => !sids.includes(Sid));
  if (bucket.policy && others.length === 0) changes.push({ action: 'remove-bucket-policy', resource });
  else if (bucket.policy && others.length < statements.length)
    changes.push({ action: 'put-bucket-policy', resource, policy: { ...bucket.policy, Statement: others } });
  if (!bucket.takenOver) return;
  const ours = Object.keys({ ...ownerTags({ deploymentId: '', runId: '' }), ...takenOverTags });
  const tags = Object.fromEntries(Object.entries(bucket.tags).filter(([key]) => !ours.includes(key)));
  changes.push({ action: 'untag-bucket', resource, tags });
}

function bucketReason({ takenOver, holdsMore }: BucketSeen): string {
  if (takenOver) return 'adopted: of its content only the report’s data is ever deleted';
  return holdsMore ? 'it holds objects that are not the report’s' : 'it holds the report’s data';
}

/** Last of all: until then the table knows of whom the payer's things are being taken away. */
function forgetting({ leaving, forget }: Input, { users }: Observation): Change[] {
  const own = targetId(leaving.target);
  return forget && users.targets.some(({ targetId: id }) => id === own)
    ? [{ action: 'forget-target', resource: own }]
    : [];
}

export const handler = stepHandler(removeReport);
