import { type BinaryLike, createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Batch } from '../../shared/batches/api-view.ts';
import type { BatchRequestInput } from '../../shared/batches/request.ts';
import type { OffboardingRequestInput, OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { ListedRun, Run } from '../../shared/runs/api-view.ts';
import { hubAccountId, hubRegion } from './deployed-sandbox.ts';

/** The hash that the signer uses, from node:crypto. */
class Sha256 {
  readonly #hash;
  constructor(key?: unknown) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as BinaryLike);
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    throw new Error('used once');
  }
}

const signer = new SignatureV4({
  service: 'execute-api',
  region: hubRegion,
  credentials: { accessKeyId: hubAccountId, secretAccessKey: 'sandbox' },
  sha256: Sha256,
});

/** Calls the API as a principal of the hub account, signed as API Gateway's IAM authorizer asks. */
export class ApiClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async start(request: OnboardingRequestInput, idempotencyKey?: string): Promise<Run> {
    return (await this.#post('/v1/onboardings', request, idempotencyKey)) as Run;
  }

  async startOffboarding(request: OffboardingRequestInput): Promise<Run> {
    return (await this.#post('/v1/offboardings', request)) as Run;
  }

  async run(runId: string): Promise<Run> {
    return (await this.#read(`/v1/runs/${runId}`)) as Run;
  }

  async startBatch(request: BatchRequestInput): Promise<Batch> {
    return (await this.#post('/v1/batches', request)) as Batch;
  }

  async batch(batchId: string): Promise<Batch> {
    return (await this.#read(`/v1/batches/${batchId}`)) as Batch;
  }

  /** One page. */
  async runs(path: string): Promise<{ runs: ListedRun[]; nextCursor: string | null }> {
    return (await this.#read(path)) as { runs: ListedRun[]; nextCursor: string | null };
  }

  async #post(path: string, request: object, idempotencyKey?: string): Promise<unknown> {
    const headers = {
      'content-type': 'application/json',
      ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
    };
    const response = await this.fetch('POST', path, { body: JSON.stringify(request), headers });
    if (response.status !== 202) throw new Error(`POST ${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  }

  async #read(path: string): Promise<unknown> {
    const response = await this.fetch('GET', path);
    if (response.status !== 200) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  }

  /**
   * Resolves once the run has ended; `look` sees every state on the way.
   * @param everyMs real milliseconds between requests. Time does not move during a request, so poll many runs less often
   */
  async untilEnded(runId: string, look?: (run: Run) => void, everyMs = 50): Promise<Run> {
    for (;;) {
      const run = await this.run(runId);
      look?.(run);
      if (run.endedAt) return run;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async fetch(
    method: string,
    path: string,
    { body, headers = {} }: { body?: string; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const url = new URL(path, this.#url);
    const signed = await signer.sign({
      method,
      protocol: 'http:',
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { host: url.host, ...headers },
      ...(body !== undefined && { body }),
    });
    return fetch(url, { method, headers: signed.headers, ...(body !== undefined && { body }) });
  }
}
