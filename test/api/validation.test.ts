import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ProblemDocument } from '../../shared/errors/request-refusal.ts';
import { type Answer, call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { smallest } from '../support/stored-runs.ts';

const hub = new HubServices();
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await hub.start();
});
afterAll(async () => {
  await hub.stop();
  vi.restoreAllMocks();
});

const path = '/v1/onboardings';
const errorsOf = ({ body }: Answer) => (body as ProblemDocument).errors ?? [];
const pointersOf = (answer: Answer) => errorsOf(answer).map(({ pointer }) => pointer);

describe('a request body', () => {
  it('with problems is answered with all of their JSON pointers', async () => {
    const answer = await call('POST', path, {
      body: {
        payerAccountId: 111122223333,
        cluster: { accountId: '2222', region: 'Ireland', nam: 'finops' },
        identity: { mode: 'keys', serviceAccount: { create: 'yes' } },
        report: { region: 'cn-north-1', prefix: '/bill/', retentionDays: 0 },
        kubecost: { namespace: 'Kube_Cost' },
        wait: { intervalMinutes: 4 },
        'a/b~c': true,
      },
      headers: { 'idempotency-key': 'ü' },
    });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ type: '/docs#error-invalid-request', status: 400, instance: path });
    expect(pointersOf(answer).sort()).toEqual([
      '/a~1b~0c',
      '/cluster/accountId',
      '/cluster/nam',
      '/cluster/name',
      '/cluster/region',
      '/identity/mode',
      '/identity/serviceAccount/create',
      '/kubecost/namespace',
      '/payerAccountId',
      '/report/prefix',
      '/report/region',
      '/report/retentionDays',
      '/wait/intervalMinutes',
      undefined,
    ]);
    expect(errorsOf(answer)).toContainEqual({
      header: 'idempotency-key',
      detail: 'must be 1 to 128 printable ASCII characters',
    });
  });

  it.each([
    ['no text', ''],
    ['half an object', '{"payerAccountId":'],
    ['a comment', '{} // done'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('that is no JSON is answered with 400: %s', async (_, body) => {
    const raw = typeof body === 'string' ? { text: body } : { text: body.toString('base64'), base64: true };
    const answer = await call('POST', path, raw);
    expect(answer.status).toBe(400);
    expect(errorsOf(answer)).toEqual([{ pointer: '', detail: expect.stringMatching(/^is not JSON/) as string }]);
  });

  it.each(['null', '7', '"text"', '[]'])('that is no object is answered with 400: %s', async (text) => {
    expect(pointersOf(await call('POST', path, { text }))).toEqual(['']);
  });

  it('of another or no content type is answered with 415', async () => {
    for (const headers of [{ 'content-type': 'text/plain' }, { 'content-type': '' }]) {
      expect((await call('POST', path, { body: smallest, headers })).status).toBe(415);
    }
  });

  it('of more than 64 kB is answered with 413', async () => {
    expect((await call('POST', path, { text: ' '.repeat(65_537) })).status).toBe(413);
  });

  it('in base64 from API Gateway is accepted', async () => {
    const text = Buffer.from(JSON.stringify(smallest)).toString('base64');
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
    expect((await call('POST', path, { text, base64: true, headers })).status).toBe(202);
  });
});

/** A request with up to three values replaced by arbitrary ones. */
const nearlyValid = fc
  .array(
    fc.tuple(
      fc.constantFrom('payerAccountId', 'cluster', 'identity', 'report', 'athena', 'kubecost', 'wait', 'existing', 'x'),
      fc.constantFrom(
        '',
        'name',
        'mode',
        'region',
        'accountId',
        'serviceAccount',
        'prefix',
        'namespace',
        'deadlineHours',
      ),
      fc.jsonValue({ maxDepth: 2 }),
    ),
    { maxLength: 3 },
  )
  .map((edits) => {
    const body = structuredClone(smallest) as unknown as Record<string, unknown>;
    for (const [section, field, value] of edits) {
      const inner = body[section];
      body[section] =
        field && typeof inner === 'object' && inner ? { ...inner, [field]: value } : field ? { [field]: value } : value;
    }
    return JSON.stringify(body);
  });

describe('any input is answered below 500', () => {
  it('as a body', async () => {
    const bodies = fc.oneof(nearlyValid, fc.json(), fc.string({ unit: 'binary' }));
    await fc.assert(
      fc.asyncProperty(bodies, fc.boolean(), async (text, base64) => {
        expect((await call('POST', path, { text, base64 })).status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
  });

  it('as an Idempotency-Key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (key) => {
        const answer = await call('POST', path, { body: smallest, headers: { 'idempotency-key': key } });
        expect(answer.status).toBeLessThan(500);
      }),
      { numRuns: 50 },
    );
  });

  it('as a path', async () => {
    const ids = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 3000 }),
      fc.stringMatching(/^[0-9a-hjkmnp-tv-z]{26}$/),
    );
    await fc.assert(
      fc.asyncProperty(ids, async (id) => {
        const segment = encodeURIComponent(id.toWellFormed()).replaceAll('.', '%2E');
        expect((await call('GET', `/v1/runs/${segment}`)).status).toBe(404);
      }),
      { numRuns: 100 },
    );
  });

  it('as a query', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom('running', '111122223333', '5', '-1', '1e3'),
    );
    const name = fc.oneof(fc.constantFrom('status', 'payerAccountId', 'cluster', 'limit', 'cursor'), fc.string());
    const cursor = fc
      .tuple(
        fc.date({ noInvalidDate: true }),
        fc.stringMatching(/^[0-9a-hjkmnp-tv-z]{26}$/),
        fc.string({ maxLength: 5 }),
      )
      .map(([at, runId, tail]) => Buffer.from(`${at.toISOString()}#${runId}${tail}`).toString('base64url'));
    const queries = fc.array(fc.oneof(fc.tuple(name, text), fc.tuple(fc.constant('cursor'), cursor)), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(queries, async (pairs) => {
        const query = new URLSearchParams(pairs as [string, string][]);
        expect((await call('GET', `/v1/runs?${query.toString()}`)).status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
  });
});
