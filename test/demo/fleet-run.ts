import type { OnboardingRequestInput } from '../../shared/request.ts';
import type { Run } from '../../shared/run-view.ts';
import type { ApiClient } from './api-client.ts';

/** Where a fleet stands: runs by status, `notStarted` among them. */
export interface FleetState {
  counts: Record<string, number>;
  percent: number;
}

/** Real milliseconds between looks: each look takes time from the simulation. */
const everyMs = 500;
/** Requests sent at once. */
const atOnce = 10;

/** Onboards all and answers their runs once the last one has ended, in the order of the requests. */
export async function onboardFleet(
  api: ApiClient,
  requests: readonly OnboardingRequestInput[],
  look?: (state: FleetState) => void,
): Promise<Run[]> {
  const runIds: string[] = [];
  for (let from = 0; from < requests.length; from += atOnce) {
    const started = await Promise.all(requests.slice(from, from + atOnce).map((request) => api.start(request)));
    runIds.push(...started.map(({ runId }) => runId));
  }
  for (;;) {
    const state = await stateOf(api, requests.length);
    look?.(state);
    if (!state.counts.queued && !state.counts.running) break;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  const runs: Run[] = [];
  for (const runId of runIds) runs.push(await api.run(runId));
  return runs;
}

async function stateOf(api: ApiClient, total: number): Promise<FleetState> {
  const counts: Record<string, number> = {};
  let cursor: string | null = '';
  while (cursor !== null) {
    const response = await api.fetch('GET', `/v1/runs?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    const page = (await response.json()) as { runs: Run[]; nextCursor: string | null };
    for (const { status } of page.runs) counts[status] = (counts[status] ?? 0) + 1;
    cursor = page.nextCursor;
  }
  return { counts, percent: Math.floor((100 * (counts.succeeded ?? 0)) / total) };
}
