import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import committed from '../../docs/openapi.json' with { type: 'json' };
import { routes } from '../../functions/api/index.ts';
import { deployedFunctions } from '../../functions/deployment/registry.ts';
import { openapiDocument } from '../../shared/api-document/openapi.ts';
import type { OpenapiDocument } from '../../shared/api-document/openapi-types.ts';
import { errorCatalogue } from '../../shared/errors/catalogue.ts';
import { call, validatorOf } from '../support/api-call.ts';
import { httpRoutes, readServerlessFile } from '../support/serverless-file.ts';

beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
afterAll(() => vi.restoreAllMocks());

const document = committed as unknown as OpenapiDocument;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

describe('the OpenAPI document', () => {
  it('equals the document generated from the code', () => {
    expect(openapiDocument(Object.values(routes))).toEqual(document);
  });

  it('is the answer of GET /openapi.json', async () => {
    expect((await call('GET', '/openapi.json')).body).toEqual(document);
  });

  it('names exactly the deployed routes, all signed but /health', () => {
    const keys = new Map<string, string>(Object.entries(routes).map(([key, { route }]) => [route.operationId, key]));
    const described = operations.map(({ path, method, operation }) => ({
      functionKey: keys.get(operation.operationId),
      method,
      path,
      signed: operation.security?.length !== 0,
    }));
    expect(described).toEqual(httpRoutes(readServerlessFile()));
    expect(described.filter(({ signed }) => !signed).map(({ path }) => path)).toEqual(['/health']);
  });

  it('has examples that match its schemas', () => {
    const bodies = operations.flatMap(({ operation }) =>
      [operation.requestBody, ...Object.values(operation.responses)].flatMap((holder) =>
        Object.values(holder?.content ?? {}),
      ),
    );
    const shown = bodies.filter(({ example }) => example !== undefined);
    expect(shown.length).toBeGreaterThan(3);
    for (const { schema, example } of shown) expect(validatorOf(schema).safeParse(example).error).toBeUndefined();
  });

  it('makes fields with defaults optional in requests, not in runs', () => {
    const { schemas } = document.components;
    expect(schemas.OnboardingRequestInput?.required).toEqual(['payerAccountId', 'cluster']);
    expect(schemas.OnboardingRequest?.required).toContain('wait');
  });
});

describe('GET /docs', () => {
  it('is one page without scripts or assets, with all error anchors', async () => {
    const { status, body } = await call('GET', '/docs');
    expect(status).toBe(200);
    const html = String(body);
    for (const code of Object.keys(errorCatalogue)) expect(html).toContain(`id="error-${code}"`);
    expect(html).not.toMatch(/<script|<link|<img|src=|url\(|@import|undefined|\[object/);
  });

  it('has only links to existing anchors', async () => {
    const html = String((await call('GET', '/docs')).body);
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const anchors = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(anchors.filter((id) => !ids.has(id))).toEqual([]);
    expect(anchors.length).toBeGreaterThan(20);
  });
});

describe('GET /health', () => {
  it('answers ok', async () => {
    expect((await call('GET', '/health')).body).toEqual({ status: 'ok' });
  });
});

describe('a function that only reads', () => {
  const reads = deployedFunctions.filter(({ route }) => route?.method === 'GET');
  it.each(reads)('has a small bundle without Step Functions or steps: $key', async ({ entry }) => {
    const { metafile, outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      platform: 'node',
      format: 'esm',
      mainFields: ['module', 'main'],
    });
    expect(outputFiles[0]?.contents.length).toBeLessThan(550_000);
    expect(
      Object.keys(metafile.inputs).filter((path) => /client-sfn|functions\/steps|shared\/openapi\.ts/.test(path)),
    ).toEqual([]);
  });
});
