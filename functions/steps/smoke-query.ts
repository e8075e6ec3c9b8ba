import { createHash } from 'node:crypto';
import { AthenaClient } from '@aws-sdk/client-athena';
import * as z from 'zod';
import type { Access } from '../../shared/access/access-template.ts';
import { type PayerData, payerDataOf } from '../../shared/access/payer-policy.ts';
import {
  levelTooOld,
  levelWarnings,
  levelWithoutPod,
  openQuerySession,
  type ProofLevel,
  propagationMs,
  querySessionPermissions,
  queryWait,
  rightsWait,
  weakerLevel,
} from '../../shared/access/query-session.ts';
import { type QueryPlace, queryRows, type QueryState, readQuery, startQuery } from '../../shared/aws/athena-query.ts';
import { workgroupPlace } from '../../shared/billing/athena-workgroup.ts';
import { reportKindOf } from '../../shared/billing/report-kinds.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { isAwsError, UserError } from '../../shared/errors/errors.ts';
import { columnsQuery, costsQuery, dayToQuery } from '../../shared/kubecost/kubecost-queries.ts';
import { explained, isDenial } from '../../shared/kubecost/query-symptoms.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type StepChange } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['smoke-query'];

interface Input {
  access: Access;
  data: PayerData;
  month: string;
  day: string;
  place: QueryPlace;
}

/** The latest execution of each query, and a denial that may pass once IAM shows the role's policy. */
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
  /** The latest query. */
  query?: QueryState;
  /** The rights that its rows were read with. */
  level?: ProofLevel;
  /** The first query's answer, before the second one is started. */
  columns?: string[];
  /** The second query's answer. */
  costs?: Record<string, string>[];
}

/** `columns`: number of columns that the first query listed. */
type Change = StepChange & { action: 'start-columns-query' | 'start-costs-query'; sql: string; columns: number };
type QueryPlan = Plan<Change, Output, Notes>;

const rowsKept = 10;

export const smokeQuery = defineStep<'smoke-query', Input, Observation, Change, Notes>({
  name: 'smoke-query',
  summary: 'Runs Kubecost’s two queries for one day with the rights Kubecost will have',
  permissions: { ...querySessionPermissions, kubernetes: [rules.pods, rules.token] },
  proof: true,
  notes: Notes,
  after: ['payer-policy'],
  waits: {
    'query-failed': { seconds: 10, longestSeconds: 360 },
    'query-overdue': { seconds: 5, longestSeconds: 1800 },
  },

  input({ run }) {
    const data = payerDataOf(run);
    const { newestPartition: partition, deliveredAt } = outputOf(run, 'first-delivery');
    const place = { workgroup: data.workgroup, database: data.database, location: data.resultsLocation };
    const { partitions } = reportKindOf(outputOf(run, 'cur-report'));
    const { access } = outputOf(run, 'preflight');
    return { access, data, month: partitions.predicate(partition), day: dayToQuery(partition, deliveredAt), place };
  },

  async observe(cx, { data }) {
    const { columnsId, costsId, askedAt } = cx.notes;
    const id = costsId || columnsId;
    if (!id) return {};
    // The proof is to start a query and to read its rows; our own rights are enough to read its state.
    const query =
      askedAt === cx.now
        ? { id, state: 'QUEUED', reason: '', scannedBytes: 0 }
        : await readQuery(cx.payer.client(AthenaClient, data.region), id);
    if (query.state !== 'SUCCEEDED') return { query };
    const { athena, level } = await openQuerySession(cx, data);
    const rows = await provenRows(athena, id);
    return costsId
      ? { query, level, costs: rows }
      : { query, level, columns: rows.map(({ column_name: name = '' }) => name) };
  },

  plan(input, seen, { notes, now }): QueryPlan {
    const { askedAt = 0, deniedSince = now, denial } = notes;
    const output = outputFrom(input, seen, notes);
    const isLasting = now - deniedSince >= propagationMs;
    const tooOld = levelTooOld(input.access, notes.level ?? output.level);
    if (denial && askedAt === now) return isLasting ? failed(denial, tooOld) : waitFor(rightsWait, output);
    const { query } = seen;
    if (!query) return askForColumns(input, output);
    if (['QUEUED', 'RUNNING'].includes(query.state)) return waitFor(queryWait(query.id), output);
    if (query.state === 'SUCCEEDED') return planNext(input, seen, output);
    if (isLasting || !isDenial(query.reason)) return failed(query.reason, tooOld);
    // Both queries are started again: the second one's text needs the first one's answer.
    return now - askedAt < rightsWait.seconds * 1000 ? waitFor(rightsWait, output) : askForColumns(input, output);
  },

  async apply(cx, change, { input }) {
    const { tries: before = 0, columnsId, deniedSince } = cx.notes;
    const isRestart = change.action === 'start-columns-query' && columnsId !== undefined;
    const tries = isRestart ? before + 1 : before;
    const since = isRestart ? { deniedSince: deniedSince ?? cx.now } : {};
    const notes: Notes = { askedAt: cx.now, tries, denial: '', ...since };
    try {
      const { athena, level } = await openQuerySession(cx, input.data);
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

function outputFrom({ data, day }: Input, { query, level: readLevel, costs = [] }: Observation, notes: Notes): Output {
  const { columnsId = '', costsId = '', columns = 0, level = levelWithoutPod(data) } = notes;
  return {
    level: weakerLevel(level, readLevel ?? level),
    columns,
    rows: costs.slice(0, rowsKept),
    rowCount: costs.length,
    day,
    scannedBytes: query?.scannedBytes ?? 0,
    queryExecutionIds: [columnsId, costsId].filter((id) => id !== ''),
  };
}

/** After a query has succeeded: starts the second query, or ends. */
function planNext(input: Input, { columns }: Observation, output: Output): QueryPlan {
  const { data, day, month } = input;
  if (columns?.length === 0)
    return failed(`information_schema lists no column of ${data.database}.${data.table}: Kubecost would lose its tags`);
  if (columns)
    return ask(input, output, 'start-costs-query', costsQuery(data.table, month, day, columns), columns.length);
  const unread = output.scannedBytes === 0 ? '; Athena read no data of the month' : '';
  const noCost = `no cost on ${day}: Kubecost shows "Data Missing" until there is some${unread}`;
  const warnings = [...(output.rowCount === 0 ? [noCost] : []), ...levelWarnings(output.level, data)];
  return { kind: 'ready', output, ...(warnings.length > 0 && { warnings }) };
}

function askForColumns(input: Input, output: Output): QueryPlan {
  const { database, table } = input.data;
  return ask(input, output, 'start-columns-query', columnsQuery(database, table), 0);
}

function ask({ data }: Input, expected: Output, action: Change['action'], sql: string, columns: number): QueryPlan {
  const { arn: resource } = workgroupPlace(data.accountId, data.region, data.workgroup);
  return { kind: 'change', changes: [{ action, resource, sql, columns }], expected };
}

function failed(reason: string, tooOld?: Problem): QueryPlan {
  if (tooOld && isDenial(reason)) return { kind: 'refuse', ...tooOld };
  return { kind: 'refuse', code: 'query-failed', detail: explained(reason) };
}

/** The rows. Only this call fails for a role that may write results and may not read them. */
async function provenRows(athena: AthenaClient, id: string): Promise<Record<string, string>[]> {
  try {
    return await queryRows(athena, id);
  } catch (error) {
    if (!isAwsError(error, 'InvalidRequestException')) throw error;
    throw new UserError('query-failed', explained(error.message), { cause: error });
  }
}

export const handler = stepHandler(smokeQuery);
