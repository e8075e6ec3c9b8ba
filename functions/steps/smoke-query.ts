import { createHash } from 'node:crypto';
import { AthenaClient } from '@aws-sdk/client-athena';
import type { AwsCredentialIdentity } from '@smithy/types';
import * as z from 'zod';
import { podChainPermission, walkPodChain } from '../../shared/access/credential-chain.ts';
import { dataPolicy, type PayerData, payerDataOf } from '../../shared/access/payer-policy.ts';
import { type QueryPlace, queryRows, type QueryState, readQuery, startQuery } from '../../shared/aws/athena.ts';
import { newClient } from '../../shared/aws/clients.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { isAwsError, UserError } from '../../shared/errors/errors.ts';
import { columnsQuery, costsQuery, dayToQuery } from '../../shared/kubecost/cost-query.ts';
import { explained } from '../../shared/kubecost/query-symptoms.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Partition } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type StepChange, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['smoke-query'];
type Level = Output['level'];

interface Input {
  data: PayerData;
  partition: Partition;
  day: string;
  /** Used where we cannot take the pod's own way. */
  fallback: Exclude<Level, 'pod-chain'>;
  place: QueryPlace;
}

/** The latest execution of each query, and a denial that IAM may still be about to lift. */
const Notes = z.object({
  columnsId: z.string().optional(),
  costsId: z.string().optional(),
  columns: z.number().optional(),
  /** The rights that the latest query was started with. */
  level: z.enum(['table-only', 'narrowed-session', 'pod-chain']).optional(),
  /** When the latest query was started, milliseconds since the epoch. */
  askedAt: z.number().optional(),
  /** Counts the restarts of a denied query: each needs a token of its own. */
  tries: z.number().optional(),
  deniedSince: z.number().optional(),
  /** Athena's message where it refused to start the query at `askedAt`. */
  denial: z.string().optional(),
});
type Notes = z.infer<typeof Notes>;

interface Observation {
  /** The latest one. */
  query?: QueryState;
  /** The rights that its rows were read with. */
  level?: Level;
  /** The first query's answer, before the second one is started. */
  columns?: string[];
  /** The second query's answer. */
  costs?: Record<string, string>[];
}

/** `columns`: how many the first query listed. */
type Change = StepChange & { action: 'start-columns-query' | 'start-costs-query'; sql: string; columns: number };

/** STS takes no longer session policies. */
const sessionPolicyCharacters = 2048;
const rowsKept = 10;
/** IAM shows a policy everywhere within two minutes, and until then a denial looks the same as for ever. */
const propagationMs = 120_000;
const askAgainMs = 10_000;

export const smokeQuery = defineStep<'smoke-query', Input, Observation, Change, Notes>({
  name: 'smoke-query',
  summary: 'Runs Kubecost’s two queries for one day with the rights Kubecost will have',
  permissions: {
    payer: [
      {
        actions: ['athena:GetQueryExecution', 'athena:GetQueryResults', 'athena:StartQueryExecution'],
        resources: ['arn:${AWS::Partition}:athena:*:${AWS::AccountId}:workgroup/${AthenaWorkgroup}'],
      },
      {
        actions: [
          'glue:GetDatabase',
          'glue:GetDatabases',
          'glue:GetPartition',
          'glue:GetPartitions',
          'glue:GetTable',
          'glue:GetTables',
        ],
        resources: [
          'arn:${AWS::Partition}:glue:*:${AWS::AccountId}:catalog',
          'arn:${AWS::Partition}:glue:*:${AWS::AccountId}:database/*',
          'arn:${AWS::Partition}:glue:*:${AWS::AccountId}:table/*/*',
        ],
      },
      {
        actions: ['s3:GetBucketLocation', 's3:ListBucket'],
        resources: ['arn:${AWS::Partition}:s3:::${CurBucket}', 'arn:${AWS::Partition}:s3:::${AthenaResultsBucket}'],
      },
      { actions: ['s3:GetObject'], resources: ['arn:${AWS::Partition}:s3:::${CurBucket}/*'] },
      {
        actions: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'],
        resources: ['arn:${AWS::Partition}:s3:::${AthenaResultsBucket}/*'],
      },
    ],
    cluster: [podChainPermission],
    kubernetes: [rules.pods, rules.token],
  },
  proof: true,
  notes: Notes,
  after: ['payer-policy'],

  input({ run }) {
    const data = payerDataOf(run);
    const { newestPartition: partition, deliveredAt } = outputOf(run, 'first-delivery');
    const narrow = JSON.stringify(dataPolicy(data)).length <= sessionPolicyCharacters;
    return {
      data,
      partition,
      day: dayToQuery(partition, deliveredAt),
      fallback: narrow ? 'narrowed-session' : 'table-only',
      place: { workgroup: data.workgroup, database: data.database, location: data.resultsLocation },
    };
  },

  async observe(cx, input) {
    const { columnsId, costsId, askedAt } = cx.notes;
    const id = costsId || columnsId;
    if (!id) return {};
    // Only starting a query and reading its rows has to be proven; its state is read with our own rights.
    const query =
      askedAt === cx.now
        ? { id, state: 'QUEUED', reason: '', scannedBytes: 0 }
        : await readQuery(cx.payer.client(AthenaClient, input.data.region), id);
    if (query.state !== 'SUCCEEDED') return { query };
    const { athena, level } = await enterAthena(cx, input);
    const rows = await provenRows(athena, id);
    return costsId
      ? { query, level, costs: rows }
      : { query, level, columns: rows.map(({ column_name: name = '' }) => name) };
  },

  plan(input, seen, { notes, now }): Plan<Change, Output, Notes> {
    const { data, partition, day, fallback, place } = input;
    const { columnsId, costsId, columns = 0, level = fallback, askedAt, deniedSince = now, denial } = notes;
    const output: Output = {
      level: weaker(level, seen.level ?? level),
      columns,
      rows: (seen.costs ?? []).slice(0, rowsKept),
      rowCount: seen.costs?.length ?? 0,
      day,
      scannedBytes: seen.query?.scannedBytes ?? 0,
      queryExecutionIds: [columnsId ?? '', costsId ?? ''].filter((id) => id !== ''),
    };
    const resource = `arn:aws:athena:${data.region}:${data.accountId}:workgroup/${place.workgroup}`;
    const ask = (action: Change['action'], sql: string, found = 0): Plan<Change, Output, Notes> => ({
      kind: 'change',
      changes: [{ action, resource, sql, columns: found }],
      expected: output,
    });
    const failed = (reason: string): Plan<Change, Output, Notes> => ({
      kind: 'refuse',
      code: 'query-failed',
      detail: explained(reason),
    });
    const waitForRights = waitFor<Output, Notes>(
      {
        reason: 'the payer role’s rights to take effect',
        seconds: askAgainMs / 1000,
        // A backstop: a lasting denial is refused below, with Athena's message.
        deadlineSeconds: 3 * (propagationMs / 1000),
        overdue: 'query-failed',
      },
      output,
    );

    const late = now - deniedSince >= propagationMs;
    if (denial && askedAt === now) return late ? failed(denial) : waitForRights;
    const { query } = seen;
    const askColumns = () => ask('start-columns-query', columnsQuery(data.database, data.table));
    if (!query) return askColumns();
    switch (query.state) {
      case 'SUCCEEDED':
        break;
      case 'QUEUED':
      case 'RUNNING':
        return waitFor(
          {
            reason: `Athena to finish query ${query.id}`,
            seconds: 5,
            deadlineSeconds: 600,
            expectedSeconds: 10,
            overdue: 'query-overdue',
          },
          output,
        );
      default:
        if (!isDenial(query.reason) || late) return failed(query.reason);
        // Both are started again: the second query's text needs the first one's answer.
        return now - (askedAt ?? 0) < askAgainMs ? waitForRights : askColumns();
    }
    if (seen.columns?.length === 0)
      return failed(
        `information_schema lists no column of ${data.database}.${data.table}: Kubecost would lose its tags`,
      );
    if (seen.columns)
      return ask('start-costs-query', costsQuery(data.table, partition, day, seen.columns), seen.columns.length);
    const empty = `no cost on ${day}: Kubecost shows "Data Missing" until there is some`;
    return { kind: 'ready', output, ...(output.rowCount === 0 && { warnings: [empty] }) };
  },

  async apply(cx, change, { input }) {
    const { tries: before = 0, columnsId, deniedSince } = cx.notes;
    const again = change.action === 'start-columns-query' && columnsId !== undefined;
    const tries = again ? before + 1 : before;
    const notes: Notes = { askedAt: cx.now, tries, denial: '', ...(again && { deniedSince: deniedSince ?? cx.now }) };
    try {
      const { athena, level } = await enterAthena(cx, input);
      const hash = createHash('sha256').update(`${tries} ${change.sql}`).digest('hex');
      const id = await startQuery(athena, input.place, change.sql, `${cx.run.runId}-${cx.run.attempt}-${hash}`);
      const ids = change.action === 'start-costs-query' ? { costsId: id } : { columnsId: id, costsId: '' };
      return { outcome: 'changed', notes: { ...notes, ...ids, level, columns: change.columns } };
    } catch (error) {
      if (!isAwsError(error, 'AccessDenied', 'AccessDeniedException', 'InvalidRequestException')) throw error;
      if (!isDenial(`${error.name} ${error.message}`))
        throw new UserError('query-failed', explained(error.message), { cause: error });
      return { outcome: 'not-changed', notes: { ...notes, deniedSince: deniedSince ?? cx.now, denial: error.message } };
    }
  },
});

/** Fails only here for a role that may write results and not read them. */
async function provenRows(athena: AthenaClient, id: string): Promise<Record<string, string>[]> {
  try {
    return await queryRows(athena, id);
  } catch (error) {
    if (!isAwsError(error, 'InvalidRequestException')) throw error;
    throw new UserError('query-failed', explained(error.message), { cause: error });
  }
}

/** Athena with the rights that are to be proven. */
async function enterAthena(cx: StepContext, input: Input): Promise<{ athena: AthenaClient; level: Level }> {
  const { credentials, level } = await credentialsFor(cx, input);
  return { athena: newClient(AthenaClient, input.data.region, () => Promise.resolve(credentials)), level };
}

async function credentialsFor(
  cx: StepContext,
  { fallback, data }: Input,
): Promise<{ credentials: AwsCredentialIdentity; level: Level }> {
  const chain = await walkPodChain(cx);
  if ('refused' in chain) throw new UserError(chain.refused, chain.detail);
  if ('credentials' in chain) return { credentials: chain.credentials, level: 'pod-chain' };
  const credentials =
    fallback === 'narrowed-session'
      ? await cx.payer.narrowedCredentials(JSON.stringify(dataPolicy(data)))
      : await cx.payer.credentials();
  return { credentials, level: fallback };
}

/** A pod may start or end between a query and its rows: then only the weaker of the two levels is proven. */
function weaker(a: Level, b: Level): Level {
  const levels: Level[] = ['table-only', 'narrowed-session', 'pod-chain'];
  return levels.find((level) => level === a || level === b) ?? a;
}

function isDenial(text: string): boolean {
  if (text.includes('Lake Formation')) return false;
  return /access ?denied|not authorized|permission denied|do not seem to have access|unable to verify\/create/i.test(
    text,
  );
}

export const handler = stepHandler(smokeQuery);
