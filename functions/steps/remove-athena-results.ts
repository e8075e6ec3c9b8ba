import {
  AthenaClient,
  DeleteWorkGroupCommand,
  ListTagsForResourceCommand,
  UpdateWorkGroupCommand,
} from '@aws-sdk/client-athena';
import * as z from 'zod';
import { findWorkgroup, unlessMissing, type Workgroup } from '../../shared/aws/athena.ts';
import { AccountBucket } from '../../shared/aws/bucket.ts';
import { deleteTagged } from '../../shared/aws/delete-tagged.ts';
import { athenaResultsBucketName } from '../../shared/aws/names.ts';
import { fromTagList, ownership, taggedOurs } from '../../shared/aws/tags.ts';
import { absentIf } from '../../shared/errors/errors.ts';
import type { Ownership } from '../../shared/model/ownership.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Removal } from '../../shared/model/step-outputs.ts';
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

type Output = Outputs['remove-athena-results'];

interface Input {
  leaving: Leaving;
  /** Of the report; null if no run ever chose one: then there are no results. */
  region: string | null;
  workgroup: string;
  workgroupArn: string;
  bucket: string;
  /** True if the bucket's name says that it is ours. */
  isDefaultBucket: boolean;
  purge: boolean;
}

interface Observation {
  users: PayerUsers;
  workgroup?: { found: Workgroup; ownership: Ownership } | undefined;
  /** Absent if this account has no bucket of the name in the report's region. */
  bucket?: { ownership: Ownership; isEmpty: boolean } | undefined;
}

type Change = StepChange & {
  action: 'delete-workgroup' | 'unset-workgroup-location' | 'delete-objects' | 'delete-bucket';
};

/** `erasedAt`: when objects were last deleted, milliseconds since the epoch. */
const Notes = z.object({ erasedAt: z.number().optional() });
type Notes = z.infer<typeof Notes>;

export const removeAthenaResults = defineStep<'remove-athena-results', Input, Observation, Change, Notes>({
  name: 'remove-athena-results',
  summary: 'Deletes Athena’s results bucket and workgroup with the payer’s last target, where runs made them',
  permissions: {
    table: ['Query'],
    payer: [
      { actions: ['iam:GetRole'], resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}'] },
      {
        actions: ['s3:DeleteBucket', 's3:GetBucketLocation', 's3:GetBucketTagging', 's3:ListBucketVersions'],
        resources: ['arn:${AWS::Partition}:s3:::${AthenaResultsBucket}'],
      },
      {
        actions: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
        resources: ['arn:${AWS::Partition}:s3:::${AthenaResultsBucket}/*'],
      },
      {
        actions: ['athena:GetWorkGroup', 'athena:ListTagsForResource', 'athena:UpdateWorkGroup'],
        resources: ['arn:${AWS::Partition}:athena:*:${AWS::AccountId}:workgroup/${AthenaWorkgroup}'],
      },
      {
        actions: ['athena:DeleteWorkGroup'],
        resources: ['arn:${AWS::Partition}:athena:*:${AWS::AccountId}:workgroup/${AthenaWorkgroup}'],
        condition: taggedOurs,
      },
    ],
  },
  lease: 'payer',
  notes: Notes,

  input({ run }) {
    const { payerAccountId: accountId, purge } = run.request;
    const { report, athenaWorkgroup, athenaResultsBucket } = outputOf(run, 'inventory');
    const region = report?.region ?? null;
    const defaultBucket = athenaResultsBucketName(accountId, region ?? '');
    const bucket = athenaResultsBucket ?? defaultBucket;
    return {
      leaving: leavingOf(run),
      region,
      workgroup: athenaWorkgroup,
      workgroupArn: `arn:aws:athena:${region ?? ''}:${accountId}:workgroup/${athenaWorkgroup}`,
      bucket,
      isDefaultBucket: bucket === defaultBucket,
      purge: purge.includes('results-bucket'),
    };
  },

  async observe(cx, input) {
    const { region, bucket } = input;
    const users = await readPayerUsers(cx);
    if (region === null) return { users };
    const [workgroup, seen] = await Promise.all([readWorkgroup(cx, region, input), readBucket(cx, region, bucket)]);
    return { users, workgroup, bucket: seen };
  },

  plan(input, seen, { changes: made, notes, now }): Plan<Change, Output, Notes> {
    const reasons = reasonsToStay(input.leaving, seen.users);
    const { changes, kept } = reasons.length > 0 ? staying(input, seen, reasons) : leavings(input, seen);
    if (changes.some(({ action }) => action === 'delete-objects') && notes.erasedAt === now)
      return waitFor(
        {
          reason: `the remaining objects of bucket ${input.bucket} to be deleted`,
          seconds: 2,
          deadlineSeconds: 24 * 3600,
          overdue: 'bucket-not-emptied',
        },
        removalOf(made, kept, changes),
      );
    return changesOrReady(changes, { output: removalOf(made, kept), expected: removalOf(made, kept, changes) });
  },

  async apply(cx, change, { input: { region, workgroup, bucket: name } }) {
    if (region === null) return 'not-changed';
    const athena = cx.payer.client(AthenaClient, region);
    const bucket = new AccountBucket(cx.payer, name);
    switch (change.action) {
      case 'delete-workgroup': {
        // With its queries' history, which is as much ours as the workgroup.
        const gone = new DeleteWorkGroupCommand({ WorkGroup: workgroup, RecursiveDeleteOption: true });
        await deleteTagged(
          () => unlessMissing(() => athena.send(gone)),
          async () => (await findWorkgroup(athena, workgroup)) === undefined,
        );
        return 'changed';
      }
      case 'unset-workgroup-location': {
        const ResultConfigurationUpdates = { RemoveOutputLocation: true };
        await athena.send(
          new UpdateWorkGroupCommand({ WorkGroup: workgroup, ConfigurationUpdates: { ResultConfigurationUpdates } }),
        );
        return 'changed';
      }
      case 'delete-objects':
        await bucket.erase(region);
        return { outcome: 'changed', notes: { erasedAt: cx.now } };
      case 'delete-bucket':
        return (await bucket.delete(region)) ? 'changed' : 'not-changed';
    }
  },
});

async function readWorkgroup(
  cx: StepContext<'offboarding'>,
  region: string,
  { workgroup, workgroupArn }: Input,
): Promise<Observation['workgroup']> {
  const athena = cx.payer.client(AthenaClient, region);
  const found = await findWorkgroup(athena, workgroup);
  if (!found) return undefined;
  const tags = await absentIf(['ResourceNotFoundException'], () =>
    athena.send(new ListTagsForResourceCommand({ ResourceARN: workgroupArn })),
  );
  return { found, ownership: ownership(fromTagList(tags?.Tags), cx.owner) };
}

async function readBucket(
  cx: StepContext<'offboarding'>,
  region: string,
  name: string,
): Promise<Observation['bucket']> {
  const bucket = new AccountBucket(cx.payer, name);
  const location = await bucket.locate();
  if (location === undefined || location === 'taken' || location.region !== region) return undefined;
  const [tags, keys] = await Promise.all([bucket.readTags(region), bucket.someKeys(region)]);
  return { ownership: ownership(tags, cx.owner), isEmpty: keys.length === 0 };
}

interface Decision {
  changes: Change[];
  kept: Removal['kept'];
}

function staying({ bucket, workgroupArn }: Input, seen: Observation, reasons: string[]): Decision {
  const resources = [
    ...(seen.bucket?.ownership === 'ours' ? [`arn:aws:s3:::${bucket}`] : []),
    ...(seen.workgroup?.ownership === 'ours' ? [workgroupArn] : []),
  ];
  return { changes: [], kept: resources.flatMap((resource) => reasons.map((why) => ({ resource, why }))) };
}

function leavings(input: Input, { workgroup, bucket }: Observation): Decision {
  const resource = `arn:aws:s3:::${input.bucket}`;
  const changes: Change[] = [];
  const kept: Removal['kept'] = [];
  const mayGo = bucket?.ownership === 'ours' || (bucket?.ownership === 'foreign' && input.purge);
  if (workgroup?.ownership === 'ours') changes.push({ action: 'delete-workgroup', resource: input.workgroupArn });
  else if (workgroup) {
    // A location in a bucket that goes, or went, would fail everybody's queries; before our run there was none.
    const pointsThere = workgroup.found.location?.split('/')[2] === input.bucket;
    if (pointsThere && (mayGo || (!bucket && input.isDefaultBucket)))
      changes.push({ action: 'unset-workgroup-location', resource: input.workgroupArn });
    if (input.workgroup !== 'primary')
      kept.push({ resource: input.workgroupArn, why: 'adopted: only a workgroup that runs made is deleted' });
  }
  if (bucket && mayGo) {
    if (!bucket.isEmpty) changes.push({ action: 'delete-objects', resource: `${resource}/*` });
    changes.push({ action: 'delete-bucket', resource });
  } else if (bucket?.ownership === 'other-deployment') {
    kept.push({ resource, why: 'it belongs to another deployment' });
  } else if (bucket) kept.push({ resource, why: 'adopted: kept unless purge names results-bucket' });
  return { changes, kept };
}

export const handler = stepHandler(removeAthenaResults);
