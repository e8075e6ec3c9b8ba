import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { RunSummary } from '../../shared/run-view.ts';
import { call } from './call.ts';
import { Hub } from './hub.ts';
import { givenRun, smallest } from './requests.ts';

let hub: Hub;
beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
beforeEach(async () => {
  hub = new Hub();
  await hub.start();
});
afterEach(() => hub.stop());
afterAll(() => vi.restoreAllMocks());

const Page = z.object({ runs: z.array(RunSummary), nextCursor: z.string().nullable() });

async function list(query = ''): Promise<{ ids: string[]; nextCursor: string | null }> {
  const answer = await call('GET', `/v1/runs${query}`);
  expect(answer.status).toBe(200);
  const { runs, nextCursor } = Page.parse(answer.body);
  return { ids: runs.map(({ runId }) => runId), nextCursor };
}

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
    ['an unknown status', 'status=done', ['status']],
    ['an unknown parameter', 'state=failed', ['state']],
    ['a limit out of bounds and a bad payer', 'limit=101&payerAccountId=1', ['payerAccountId', 'limit']],
    ['a cluster that is not an ARN', 'cluster=finops', ['cluster']],
    ['a made-up cursor', 'cursor=abc', ['cursor']],
    [
      'a cursor with more than a place',
      `cursor=${Buffer.from(`${day(1)}#${'0'.repeat(26)}#x`).toString('base64url')}`,
      ['cursor'],
    ],
  ])('refuses %s', async (_, query, parameters) => {
    const answer = await call('GET', `/v1/runs?${query}`);
    expect(answer.status).toBe(400);
    const errors = (answer.body as { errors: { parameter: string }[] }).errors;
    expect(errors.map(({ parameter }) => parameter)).toEqual(parameters);
  });

  it('leaves locks and keys out', async () => {
    await call('POST', '/v1/onboardings', { body: smallest, headers: { 'idempotency-key': 'monday' } });
    expect((await list()).ids).toHaveLength(1);
  });
});

const finops = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';
