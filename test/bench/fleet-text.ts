import type { MeasuredFleet } from './fleet.ts';

/** A table of the figures: one line for each figure, one column for each fleet. */
export function fleetTable(fleets: readonly MeasuredFleet[]): string[] {
  const [smallest] = fleets;
  if (!smallest) return [];
  const rows: [what: string, of: (fleet: MeasuredFleet) => string][] = [
    ['', ({ payers }) => `${payers} payers`],
    ['runs succeeded', ({ ends }) => String(ends.succeeded ?? 0)],
    ['  proven by the consumer’s status', ({ evidence }) => String(evidence.connection ?? 0)],
    ['simulated time, hours', ({ simulatedHours }) => simulatedHours.toFixed(1)],
    ['wall time, seconds', ({ wallMs }) => (wallMs / 1000).toFixed(0)],
    ['per payer:', () => ''],
    ['  calls into other accounts and STS', ({ perPayer }) => one(perPayer.calls)],
    [
      `  the same, times those at ${smallest.payers}`,
      ({ perPayer }) => (perPayer.calls / smallest.perPayer.calls).toFixed(2),
    ],
    ['  those by a step that still waits', ({ perPayer }) => one(perPayer.waitingRepeats)],
    ['  calls to the hub’s table', ({ perPayer }) => one(perPayer.tableWrites + perPayer.tableReads)],
    ['  calls to the event bus', ({ perPayer }) => one(perPayer.busCalls)],
    ['  events', ({ perPayer }) => one(perPayer.events)],
    ['  state transitions', ({ perPayer }) => one(perPayer.transitions)],
    ['  function invocations', ({ perPayer }) => one(perPayer.invocations)],
    ['  orchestration, USD', ({ perPayer }) => perPayer.usd.toFixed(4)],
    ['  orchestration after a wait of 24 h, USD', ({ perPayer }) => perPayer.usdAfterADay?.toFixed(4) ?? 'none'],
    ['  state transitions after a wait of 24 h', ({ perPayer }) => perPayer.transitionsAfterADay?.toFixed(1) ?? 'none'],
    ['first delivery to its detection, minutes', ({ lagMinutes }) => lagMinutes.mean.toFixed(1)],
    ['  the longest', ({ lagMinutes }) => lagMinutes.longest.toFixed(1)],
    ['throttled calls', ({ throttles }) => String(throttles.met)],
    ['  recovered by a retried call', ({ throttles }) => String(throttles.met - throttles.takenAgain)],
    ['  recovered by a repeated step', ({ throttles }) => String(throttles.takenAgain)],
    ['runs that did not succeed', ({ throttles }) => String(throttles.runsLost)],
    ['writes of the five secrets', ({ secretWrites }) => String(secretWrites)],
    ['  and of their previous content', ({ previousWrites }) => String(previousWrites)],
    ['restarts of a workload', ({ rolls }) => String(rolls)],
    ['entries lost', ({ lost }) => String(lost)],
  ];
  return rows.map(([what, of]) =>
    `  ${what.padEnd(42)}${fleets.map((fleet) => of(fleet).padStart(13)).join('')}`.trimEnd(),
  );
}

function one(value: number): string {
  return value.toFixed(1);
}

/** Runs that did not succeed, by status and code; empty if all succeeded. */
export function failuresText({ ends }: MeasuredFleet): string {
  return Object.entries(ends)
    .filter(([end]) => end !== 'succeeded')
    .map(([end, count]) => `${count} ${end}`)
    .join(', ');
}
