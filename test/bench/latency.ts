import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { ApiClient } from '../support/api-client.ts';
import { startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { fleetClusters } from '../support/fleet.ts';
import { quietly } from '../support/mute-logs.ts';
import { accountAt } from '../support/seed-payers.ts';

/** Real milliseconds. */
export interface Latencies {
  requests: number;
  p50: number;
  p95: number;
  p99: number;
}

/** Account ids after all accounts of a fleet. Their runs have no access, so they fail at once and change nothing. */
const strangers = 1_000_000;
const pauseMs = 1000;
const idleRequests = 300;
const warmUp = 50;

/** POST /v1/onboardings and GET of the run it started, in turn, while virtual time does not advance. */
export async function latenciesWhenIdle(): Promise<{ post: Latencies; get: Latencies }> {
  const sandbox = await startDeployedSandbox();
  try {
    sandbox.world.clock.stop();
    const probe = new Probe(new ApiClient(sandbox.apiUrl));
    await quietly(async () => {
      for (let count = 0; count < warmUp; count++) await probe.ask();
      probe.forget();
      for (let count = 0; count < idleRequests; count++) await probe.ask();
    });
    return probe.latencies();
  } finally {
    await sandbox.close();
  }
}

/** The same once a second until it is stopped, in the process of the fleet. */
export function latenciesUnderLoad(api: ApiClient): { stop(): Promise<{ post: Latencies; get: Latencies }> } {
  const probe = new Probe(api);
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      await probe.ask();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  return {
    async stop() {
      over.abort();
      await asking;
      return probe.latencies();
    },
  };
}

class Probe {
  readonly #api: ApiClient;
  readonly #posts: number[] = [];
  readonly #gets: number[] = [];
  #asked = 0;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async ask(): Promise<void> {
    const { runId } = await timed(this.#posts, () => this.#api.start(requestOf(this.#asked++)));
    await timed(this.#gets, () => this.#api.run(runId));
  }

  forget(): void {
    this.#posts.length = 0;
    this.#gets.length = 0;
  }

  latencies(): { post: Latencies; get: Latencies } {
    return { post: latenciesOf(this.#posts), get: latenciesOf(this.#gets) };
  }
}

function requestOf(index: number): OnboardingRequestInput {
  const [{ accountId, region, name, mode }] = fleetClusters;
  return {
    payerAccountId: accountAt('payer', strangers + index),
    cluster: { accountId, region, name },
    identity: { mode },
  };
}

async function timed<T>(times: number[], work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    times.push(performance.now() - start);
  }
}

function latenciesOf(times: readonly number[]): Latencies {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { requests: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
