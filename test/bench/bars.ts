import type { MeasuredFleet } from './fleet.ts';
import type { Latencies } from './latency.ts';
import { adoption, type MeasuredRun, ownTable } from './measure.ts';

export interface Bar {
  what: string;
  measured: number;
  limit: number;
  holds: boolean;
}

/** The limits for the measured fleets, from the smallest to the largest. */
export function fleetBars(fleets: readonly MeasuredFleet[]): Bar[] {
  const [smallest, largest] = [fleets[0], fleets.at(-1)];
  if (!smallest || !largest) return [];
  const { payers, perPayer, throttles, lost } = largest;
  const { usdAfterADay, transitionsAfterADay } = perPayer;
  return [
    atMost(`runs that did not succeed, of ${payers}`, throttles.runsLost, 0),
    atMost(`entries lost, of ${payers}`, lost, 0),
    ...(largest === smallest
      ? []
      : [
          atMost(
            `calls per payer at ${payers}, times those at ${smallest.payers}`,
            perPayer.calls / smallest.perPayer.calls,
            1.2,
          ),
        ]),
    ...(usdAfterADay === undefined
      ? []
      : [atMost('orchestration of a payer after a wait of 24 hours, USD', usdAfterADay, 0.004)]),
    ...(transitionsAfterADay === undefined
      ? []
      : [atMost('state transitions of a payer after a wait of 24 hours', transitionsAfterADay, 110)]),
    atMost('mean time from a delivery to its detection, minutes', largest.lagMinutes.mean, 3),
  ];
}

export function runBars(runs: readonly MeasuredRun[]): Bar[] {
  const minutes = runs.find(({ title }) => title === adoption)?.secretAfterMinutes ?? Number.NaN;
  const own = runs.find(({ title }) => title === ownTable);
  return [
    atMost('adoption with data there, minutes from request to secret', minutes, 10),
    atMost('table of our own, seconds from detection to secret', own?.waiting?.toSecretSeconds ?? Number.NaN, 60),
    atMost('table of our own, crawls a month', own?.scheduledCrawls ?? Number.NaN, 0),
  ];
}

export function latencyBars(idle: { post: Latencies; get: Latencies }): Bar[] {
  return [
    atMost('p95 of POST while idle, ms', idle.post.p95, 50),
    atMost('p95 of GET while idle, ms', idle.get.p95, 50),
  ];
}

function atMost(what: string, measured: number, limit: number): Bar {
  return { what, measured, limit, holds: measured <= limit };
}
