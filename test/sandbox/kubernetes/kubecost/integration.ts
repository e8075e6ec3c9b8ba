import { randomBytes } from 'node:crypto';
import type { World } from '../../world.ts';
import type { LogLine } from '../workloads.ts';
import { type PodCredentials, SdkError } from './credentials.ts';
import { type Integration, shownConfig } from './integration-file.ts';
import { queryCosts, type Window } from './query.ts';

export type ConnectionStatus = '' | 'No Connection' | 'Failed Connection' | 'Data Missing' | 'Connection Successful';

const [hour, day] = [3_600_000, 86_400_000];
/** CLOUD_COST_REFRESH_RATE_HOURS; runs are at whole multiples of it. */
const refreshMs = 6 * hour;
/** CLOUD_COST_QUERY_WINDOW_DAYS, CLOUD_COST_RUN_WINDOW_DAYS and RESOLUTION_1D_RETENTION. */
const [queryDays, runDays, retentionDays] = [7, 3, 91];
const blocks = retentionDays / queryDays;
const neverRun = '0001-01-01T00:00:00Z';

/** One integration from its creation on: its build window by window, then a run at every refresh. Source: OpenCost, pkg/cloudcost/ingestor.go. */
export class ActiveIntegration {
  readonly integration: Integration;
  status: ConnectionStatus;
  readonly #world: World;
  readonly #credentials: PodCredentials;
  readonly #write: (line: LogLine) => void;
  readonly #createdAt: number;
  readonly #buildId = randomBytes(4).toString('base64url').slice(0, 5).replace(/[-_]/g, 'x');
  #coverage: Window;
  /** Blocks of the build that are done. */
  #built = 0;
  #runs = 0;
  #lastRun: number | undefined;
  #nextRun: number;
  #ended = false;

  constructor(world: World, integration: Integration, credentials: PodCredentials, write: (line: LogLine) => void) {
    this.#world = world;
    this.integration = integration;
    this.#credentials = credentials;
    this.#write = write;
    this.#createdAt = world.clock.now();
    this.#nextRun = nextRefresh(this.#createdAt);
    this.#coverage = this.#block(0);
    this.status = integration.valid ? 'No Connection' : '';
    if (integration.valid) this.#sayStart();
  }

  end(): void {
    this.#ended = true;
  }

  /**
   * Handles the answer of a window; returns true if an older window follows. After one success the build
   * is assumed to succeed, so its queries are skipped.
   * @param took milliseconds
   */
  finishWindow(took: number): boolean {
    if (this.#ended || !this.integration.valid) return false;
    const now = this.#world.clock.now();
    const window = this.#block(this.#built);
    if (this.status === 'Connection Successful') this.#cover(window);
    else this.#query(window, now);
    const build = `ingestor: build[${this.#buildId}]:`;
    this.#say(now, 'INF', `${build}  ${shown(window)} in ${took / 1000}s`);
    this.#built++;
    if (this.#built < blocks) {
      this.#sayWindow(now);
      return true;
    }
    const seconds = (blocks * took) / 1000;
    this.#say(now, 'INF', `${build} completed in ${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(1)}s`);
    return false;
  }

  /** Performs the runs that became due since the last call. */
  refresh(): void {
    const now = this.#world.clock.now();
    if (this.#ended || !this.integration.valid || now < this.#nextRun) return;
    const at = nextRefresh(now) - refreshMs;
    this.#runs += 1 + (at - this.#nextRun) / refreshMs;
    this.#lastRun = at;
    this.#nextRun = at + refreshMs;
    const today = midnight(at);
    this.#query({ from: today - (runDays - 1) * day, to: today + day }, at);
  }

  /** One element of the status endpoint's list. Source: OpenCost, pkg/cloudcost/status.go. */
  shown(): object {
    const { key, provider, valid } = this.integration;
    return {
      key,
      source: 'multicloud',
      provider,
      active: valid,
      valid,
      lastRun: this.#lastRun === undefined ? neverRun : time(this.#lastRun),
      nextRun: valid ? time(this.#nextRun) : neverRun,
      RefreshRate: '6h0m0s',
      created: valid ? time(this.#createdAt) : neverRun,
      runs: this.#runs,
      coverage: shown(this.#coverage),
      connectionStatus: this.status,
      config: shownConfig(this.integration),
    };
  }

  /** @param at when the query is over */
  #query(window: Window, at: number): void {
    const answer = this.#answer(window);
    if (answer instanceof SdkError) {
      this.status = 'Failed Connection';
      this.#say(at, 'ERR', `ingestor: build failed for window ${shown(window)}: ${answer.message}`);
      return;
    }
    if (answer.columns === 0) this.#write({ at, text: `${time(at)} INF No columns retrieved from Athena` });
    this.#cover(window);
    // Rows stay after they were read: a later empty window does not change the status.
    if (answer.rows > 0) this.status = 'Connection Successful';
    else if (this.status !== 'Connection Successful') this.status = 'Data Missing';
  }

  /** The sandbox does not model other clouds and reports without Athena: they always succeed. */
  #answer(window: Window): { columns: number; rows: number } | SdkError {
    const { kind, values, authorizer } = this.integration;
    if (kind !== 'athena' || !authorizer) return { columns: 1, rows: 1 };
    const { region = '' } = values;
    try {
      return queryCosts(this.#world, values, () => this.#credentials.caller(authorizer, region), window);
    } catch (error) {
      if (error instanceof SdkError) return error;
      throw error;
    }
  }

  #cover({ from, to }: Window): void {
    this.#coverage = { from: Math.min(from, this.#coverage.from), to: Math.max(to, this.#coverage.to) };
  }

  /** The build goes back week by week; the newest block includes today, which the run that starts beside the build reads. */
  #block(index: number): Window {
    const today = midnight(this.#createdAt);
    const to = index === 0 ? today + day : today - index * queryDays * day;
    return { from: today - (index + 1) * queryDays * day, to };
  }

  #sayStart(): void {
    const at = this.#createdAt;
    const since = `${dateTime(midnight(at) - retentionDays * day)} +0000 UTC`;
    this.#say(at, 'INF', `ingestor: build[${this.#buildId}]: Starting build back to ${since} in blocks of 7d`);
    this.#sayWindow(at);
  }

  #sayWindow(at: number): void {
    const window = shown(this.#block(this.#built));
    this.#say(at, 'INF', `ingestor: building window ${window}`);
    if (this.integration.kind === 'athena')
      this.#write({ at, text: `${time(at)} INF AthenaIntegration[${this.integration.key}]: GetCloudCost: ${window}` });
  }

  #say(at: number, level: 'INF' | 'ERR', text: string): void {
    this.#write({ at, text: `${time(at)} ${level} CloudCost[${this.integration.key}]: ${text}` });
  }
}

function nextRefresh(now: number): number {
  return (Math.floor(now / refreshMs) + 1) * refreshMs;
}

function midnight(at: number): number {
  return Math.floor(at / day) * day;
}

function shown({ from, to }: Window): string {
  const [start, end] = [from, to].map((at) => `${new Date(at).toISOString().slice(0, 19)}+0000`);
  return `[${start ?? ''}, ${end ?? ''})`;
}

function dateTime(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** As Go prints a time: no zeros at the end of the fraction. */
export function time(at: number): string {
  return new Date(at).toISOString().replace(/\.?0+Z$/, 'Z');
}
