import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { newRunId } from '../../shared/model/run-id.ts';
import { ListedRun } from '../../shared/runs/api-view.ts';
import { documentClient } from '../../shared/table/document-table.ts';
import { call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { givenRun, smallest } from '../support/stored-runs.ts';

let hub: HubServices;
beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
beforeEach(async () => {
  hub = new HubServices();
  await hub.start();
});
afterEach(() => hub.stop());
afterAll(() => vi.restoreAllMocks());

const Page = z.object({ runs: z.array(ListedRun), nextCursor: z.string().nullable() });

async function list(query = ''): Promise<{ ids: string[]; nextCursor: string | null }> {
  const answer = await call('GET', `/v1/runs${query}`);
  expect(answer.status).toBe(200);
  const { runs, nextCursor } = Page.parse(answer.body);
  return { ids: runs.map(({ runId }) => runId), nextCursor };
}

const finops = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';
const batchId = '01kjq3w5e8f2c9m4x7v1t6s0rw';
const day = (number: number) => `2026-03-${String(number).padStart(2, '0')}T00:00:00.000Z`;

describe('GET /v1/runs', () => {
  it('lists the newest run first, page by page, each run once', async () => {
    const ids: string[] = [];
    for (const number of [1, 2, 3, 4, 5, 6, 7]) ids.unshift(await givenRun({ createdAt: day(number) }));
    for (const filter of ['', 'payerAccountId=111122223333&', 'status=succeeded&', `cluster=${finops}&`]) {
      const seen: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page = await list(`?${filter}limit=3${cursor && `&cursor=${cursor}`}`);
        seen.push(...page.ids);
        cursor = page.nextCursor;
      }
      expect(seen).toEqual(ids);
    }
  });

  it('filters by status, by payer and by cluster', async () => {
    const failed = await givenRun({ status: 'failed' });
    const otherPayer = await givenRun({ request: { ...smallest, payerAccountId: '444455556666' } });
    const otherCluster = await givenRun({ request: { ...smallest, cluster: { ...smallest.cluster, name: 'other' } } });
    expect((await list('?status=failed')).ids).toEqual([failed]);
    expect((await list('?payerAccountId=444455556666')).ids).toEqual([otherPayer]);
    expect((await list(`?cluster=${finops.replace('finops', 'other')}`)).ids).toEqual([otherCluster]);
    expect((await list('?status=cancelled')).ids).toEqual([]);
  });

  it('shows 20 runs unless asked for more', async () => {
    for (let number = 1; number <= 22; number++) await givenRun({ createdAt: day(number) });
    expect((await list()).ids).toHaveLength(20);
    expect((await list('?limit=100')).ids).toHaveLength(22);
  });

  it.each([
    ['two filters', 'status=failed&payerAccountId=111122223333', ['status', 'payerAccountId']],
    [
      'a batch with a status and a cluster',
      `status=failed&cluster=${finops}&batchId=${batchId}`,
      ['status', 'cluster', 'batchId'],
    ],
    ['a batch with a payer', `batchId=${batchId}&payerAccountId=111122223333`, ['payerAccountId', 'batchId']],
    ['an invalid batch id', 'batchId=1', ['batchId']],
    ['an unknown status', 'status=done', ['status']],
    ['an unknown parameter', 'state=failed', ['state']],
    ['a limit out of bounds and a bad payer', 'limit=101&payerAccountId=1', ['payerAccountId', 'limit']],
    ['a cluster that is not an ARN', 'cluster=finops', ['cluster']],
    ['an invented cursor', 'cursor=abc', ['cursor']],
    [
      'a cursor with an extra part',
      `cursor=${Buffer.from(`${day(1)}#${'0'.repeat(26)}#x`).toString('base64url')}`,
      ['cursor'],
    ],
  ])('refuses %s', async (_, query, parameters) => {
    const answer = await call('GET', `/v1/runs?${query}`);
    expect(answer.status).toBe(400);
    const errors = (answer.body as { errors: { parameter: string }[] }).errors;
    expect(errors.map(({ parameter }) => parameter)).toEqual(parameters);
  });

  it('lists the runs of a batch, also by status', async () => {
    const failed = await givenRun({ status: 'failed', createdAt: day(1), batchId });
    const queued = await givenRun({ status: 'queued', createdAt: day(2), batchId });
    await givenRun({ status: 'failed', createdAt: day(3) });
    await givenRun({ status: 'failed', createdAt: day(4), batchId: `${batchId.slice(0, -1)}x` });
    expect((await list(`?batchId=${batchId}`)).ids).toEqual([queued, failed]);
    expect((await list(`?status=failed&batchId=${batchId}`)).ids).toEqual([failed]);
    const { nextCursor } = await list(`?batchId=${batchId}&limit=1`);
    expect((await list(`?batchId=${batchId}&limit=1&cursor=${nextCursor ?? ''}`)).ids).toEqual([failed]);
    expect((await list(`?batchId=${batchId}&status=queued&cursor=${nextCursor ?? ''}`)).ids).toEqual([]);
  });

  it('omits locks, keys and batches', async () => {
    await call('POST', '/v1/onboardings', { body: smallest, headers: { 'idempotency-key': 'monday' } });
    const payer = '444455556666';
    await call('POST', '/v1/batches', { body: { defaults: smallest, onboardings: [{ payerAccountId: payer }] } });
    expect((await list()).ids).toHaveLength(2);
  });
});

/** `LISTED_RUNS=100000 npx vitest run test/api/list-runs.test.ts -t costs` takes minutes. */
const listedRuns = Number(process.env.LISTED_RUNS ?? 3000);

describe('a page of runs', () => {
  const filters = ['', `status=failed&`, 'payerAccountId=444455556666&', `cluster=${finops}&`, `batchId=${batchId}&`];
  filters.push(`batchId=${batchId}&status=cancelled&`);

  /** Read units that the first two pages of each filter consume. */
  async function unitsOfPages(): Promise<number[]> {
    const units: number[] = [];
    const meter = { name: 'meter', step: 'initialize', override: true } as const;
    documentClient().middlewareStack.add(
      (next) => async (args) => {
        Object.assign(args.input, { ReturnConsumedCapacity: 'TOTAL' });
        const answer = await next(args);
        const { ConsumedCapacity } = answer.output as { ConsumedCapacity?: { CapacityUnits?: number } };
        units.push(ConsumedCapacity?.CapacityUnits ?? NaN);
        return answer;
      },
      meter,
    );
    for (const filter of filters) {
      const { nextCursor } = await list(`?${filter}limit=20`);
      if (nextCursor !== null) await list(`?${filter}limit=20&cursor=${nextCursor}`);
    }
    documentClient().middlewareStack.remove(meter.name);
    return units;
  }

  it(
    'costs the same for any number of runs',
    async () => {
      await givenRun({ createdAt: day(1), request: { ...smallest, payerAccountId: '444455556666' } });
      await givenRun({ createdAt: day(1), status: 'cancelled', batchId });
      await givenRun({ createdAt: day(2), status: 'failed', batchId });
      const [failed] = (await hub.items('run#')).filter(({ status }) => status === 'failed');
      // The indexes contain neither.
      const item = { ...failed, steps: {}, outbox: {} };
      const fill = (from: number, to: number) =>
        hub.putAll(
          Array.from({ length: to - from }, (_, index) => {
            const createdAt = new Date(Date.parse(day(3)) + (from + index) * 1000).toISOString();
            const runId = newRunId(Date.parse(createdAt));
            return { ...item, pk: `run#${runId}`, runId, createdAt, listKey: `${createdAt}#${runId}` };
          }),
        );
      await fill(0, 97);
      const few = await unitsOfPages();
      await fill(97, listedRuns);
      const many = await unitsOfPages();
      expect(few).toHaveLength(10);
      expect(Math.max(...few)).toBeLessThan(10);
      expect(many).toEqual(few);
    },
    30_000 + 10 * listedRuns,
  );
});
