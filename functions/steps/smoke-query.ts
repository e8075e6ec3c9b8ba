import { createHash } from 'node:crypto';
import { AthenaClient } from '@aws-sdk/client-athena';
import type { AwsCredentialIdentity } from '@smithy/types';
import { podChainPermission, walkPodChain } from '../../shared/access/credential-chain.ts';
import { dataPolicy, type PayerData, payerDataOf } from '../../shared/access/payer-policy.ts';
import { type QueryPlace, queryRows, type QuerySeen, readQuery, startQuery } from '../../shared/aws/athena.ts';
import { newClient } from '../../shared/aws/clients.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { isAwsError, UserError } from '../../shared/errors/errors.ts';
import { columnsQuery, costsQuery, dayToQuery } from '../../shared/kubecost/cost-query.ts';
import { explained } from '../../shared/kubecost/query-symptoms.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Partition } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type StepChange, type StepContext } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['smoke-query'];
type Level = Output['level'];

interface Input {
  data: PayerData;
  partition: Partition;
  day: string;
  /** Where the pod's own way is closed to us. */
  fallback: Exclude<Level, 'pod-chain'>;
  place: QueryPlace;
}

/** The step's notes: executions on their way, and a denial that IAM may still be about to lift. */
interface Memo {
  columnsId?: string;
  costsId?: string;
  columns?: number;
  /** With which rights the latest one was asked. */
  level?: Level;
  askedAt?: number;
  /** Counts the times a denied query was asked again: each needs a token of its own. */
  tries?: number;
  deniedSince?: number;
  /** Athena's words where it refused to start the query at `askedAt`. */
  denial?: string;
}

interface Seen {
  /** The latest one asked. */
  query?: QuerySeen;
  /** With which rights its rows were read. */
  level?: Level;
  /** What the first one found, before the second one is asked. */
  columns?: string[];
  /** What the second one found. */
  costs?: Record<string, string>[];
}

/** `columns`: how many the first query listed. */
type Change = StepChange & { do: 'start-columns-query' | 'start-costs-query'; sql: string; columns: number };

/** STS takes no longer session policies. */
const sessionPolicyCharacters = 2048;
const rowsKept = 10;
/** IAM shows a policy everywhere within two minutes, and until then a denial looks the same as for ever. */
const propagationMs = 120_000;
const askAgainMs = 10_000;

export const smokeQuery = defineStep<'smoke-query', Input, Seen, Change>({
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
    const { columnsId, costsId, askedAt } = cx.memo as Memo;
    const id = costsId || columnsId;
    if (!id) return {};
    // How far a query is anybody may ask: only starting it and reading its rows has to be proven.
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

  plan(input, seen, { memo, now }): Plan<Change, Output> {
    const { data, partition, day, fallback, place } = input;
    const { columnsId, costsId, columns = 0, level = fallback, askedAt, deniedSince = now, denial } = memo as Memo;
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
    const ask = (what: Change['do'], sql: string, found = 0): Plan<Change, Output> => ({
      kind: 'change',
      changes: [{ do: what, resource, sql, columns: found }],
      expected: output,
    });
    const failed = (reason: string): Plan<Change, Output> => ({
      kind: 'refuse',
      code: 'query-failed',
      detail: explained(reason),
    });
    const waitForRights: Plan<Change, Output> = {
      kind: 'wait',
      reason: 'the payer role’s rights to take effect',
      seconds: askAgainMs / 1000,
      // Only a net: a denial that lasts is refused below, in Athena's words.
      deadlineSeconds: 3 * (propagationMs / 1000),
      overdue: 'query-failed',
      expected: output,
    };

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
        return {
          kind: 'wait',
          reason: `query ${query.id}`,
          seconds: 5,
          deadlineSeconds: 600,
          expectedSeconds: 10,
          overdue: 'query-overdue',
          expected: output,
        };
      default:
        if (!isDenial(query.reason) || late) return failed(query.reason);
        // Both are asked again: the second query's text needs the first one's answer.
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

  async apply(cx, change, input) {
    const { tries: before = 0, columnsId, deniedSince } = cx.memo as Memo;
    const again = change.do === 'start-columns-query' && columnsId !== undefined;
    const tries = again ? before + 1 : before;
    const notes: Memo = { askedAt: cx.now, tries, denial: '', ...(again && { deniedSince: deniedSince ?? cx.now }) };
    try {
      const { athena, level } = await enterAthena(cx, input);
      const hash = createHash('sha256').update(`${tries} ${change.sql}`).digest('hex');
      const id = await startQuery(athena, input.place, change.sql, `${cx.run.runId}-${cx.run.attempt}-${hash}`);
      const ids = change.do === 'start-costs-query' ? { costsId: id } : { columnsId: id, costsId: '' };
      await cx.remember({ ...notes, ...ids, level, columns: change.columns });
    } catch (error) {
      if (!isAwsError(error, 'AccessDenied', 'AccessDeniedException', 'InvalidRequestException')) throw error;
      if (!isDenial(`${error.name} ${error.message}`))
        throw new UserError('query-failed', explained(error.message), { cause: error });
      await cx.remember({ ...notes, deniedSince: deniedSince ?? cx.now, denial: error.message });
    }
  },
});

/** A role that may write results and not read them learns it only here. */
async function provenRows(athena: AthenaClient, id: string): Promise<Record<string, string>[]> {
  try {
    return await queryRows(athena, id);
  } catch (error) {
    if (!isAwsError(error, 'InvalidRequestException')) throw error;
    throw new UserError('query-failed', explained(error.message), { cause: error });
  }
}

interface Entered {
  athena: AthenaClient;
  level: Level;
}

const entered = new WeakMap<StepContext, Promise<Entered>>();

/** Athena with the rights that are to be proven; the way there is walked once per invocation. */
function enterAthena(cx: StepContext, input: Input): Promise<Entered> {
  const known = entered.get(cx);
  if (known) return known;
  const entering = credentialsFor(cx, input).then(({ credentials, level }) => ({
    athena: newClient(AthenaClient, input.data.region, () => Promise.resolve(credentials)),
    level,
  }));
  entered.set(cx, entering);
  return entering;
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

/** A pod may come or go between a query and its rows: the evidence is what the weaker of the two proves. */
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
