import * as z from 'zod';
import { RequestRefusal } from '../../shared/errors/request-refusal.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { runStatuses } from '../../shared/model/run-schemas.ts';
import { ListedRun, listedRun } from '../../shared/runs/api-view.ts';
import { listRuns, runIndexes } from '../../shared/runs/run-table.ts';

const filters = ['status', 'payerAccountId', 'cluster', 'batchId'] as const;

const RunList = z
  .object({
    runs: z.array(ListedRun),
    nextCursor: z.string().nullable().meta({ description: 'Cursor of the next page; null on the last page' }),
  })
  .meta({ id: 'RunList' });

export const route = {
  method: 'GET',
  path: '/v1/runs',
  operationId: 'listRuns',
  summary: 'List runs, newest first',
  description:
    'All runs, or the runs of one status, payer, cluster or batch. Only one filter is possible at a time; the exception is `batchId` together with `status`.',
  query: z.strictObject({
    status: z.enum(runStatuses).optional(),
    payerAccountId: z
      .string()
      .regex(/^\d{12}$/, 'must be the 12 digits of an AWS account id')
      .optional(),
    cluster: z
      .string()
      .regex(
        /^arn:aws:eks:[a-z0-9-]{1,32}:\d{12}:cluster\/[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/,
        'must be the ARN of an EKS cluster',
      )
      .optional()
      .meta({ description: 'ARN of the EKS cluster' }),
    batchId: z.string().refine(isRunId, 'must be the id of a batch').optional(),
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: z.string().max(200).optional().meta({ description: 'nextCursor of the previous page' }),
  }),
  responses: { 200: { description: 'One page', schema: RunList } },
  refusals: ['invalid-request'],
  permissions: { table: ['Query'], indexes: true },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ query }) => {
  const { by, value } = filterOf(query);
  const page = await listRuns(
    { by, value },
    query.limit,
    query.cursor === undefined ? undefined : startOf(query.cursor, by, value),
  );
  return { status: 200, body: { runs: page.runs.map(listedRun), nextCursor: page.next ? cursorOf(page.next) : null } };
});

/** One key query serves each of these: one filter, or a batch and a status. @throws RequestRefusal */
function filterOf(query: Partial<Record<(typeof filters)[number], string | undefined>>): {
  by: keyof typeof runIndexes;
  value: string;
} {
  const given = filters.flatMap((name) => (query[name] === undefined ? [] : [{ by: name, value: query[name] }]));
  const [first = { by: 'all', value: 'runs' } as const, ...others] = given;
  if (others.length === 0) return first;
  const { status, batchId } = query;
  if (given.length === 2 && status !== undefined && batchId !== undefined)
    return { by: 'batchStatus', value: `${batchId}#${status}` };
  const errors = given.map(({ by }) => ({ parameter: by, detail: 'cannot be combined with the other filter' }));
  throw new RequestRefusal('invalid-request', 'Send one filter, or batchId with status.', { errors });
}

/** A cursor is the list key of the last run on the page. We add the filter's part of the start key, so that no cursor can leave the index. */
function cursorOf(next: Record<string, unknown>): string {
  return Buffer.from(String(next.listKey)).toString('base64url');
}

function startOf(cursor: string, by: keyof typeof runIndexes, value: string): Record<string, unknown> {
  const listKey = Buffer.from(cursor, 'base64url').toString();
  const [createdAt = '', runId = '', ...rest] = listKey.split('#');
  if (!z.iso.datetime().safeParse(createdAt).success || !isRunId(runId) || rest.length > 0) {
    throw new RequestRefusal('invalid-request', 'The cursor is not valid.', {
      errors: [{ parameter: 'cursor', detail: 'must be the nextCursor of an earlier page' }],
    });
  }
  return { pk: `run#${runId}`, sk: 'run', [runIndexes[by].key]: value, listKey };
}
