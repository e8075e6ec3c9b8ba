import type { MeasuredFleet } from './fleet.ts';

/** One line a figure, one column a fleet: what stays flat and what grows is to be seen at a glance. */
export function fleetTable(fleets: readonly MeasuredFleet[]): string[] {
  const [smallest] = fleets;
  if (!smallest) return [];
  const rows: [what: string, of: (fleet: MeasuredFleet) => string][] = [
    ['', ({ payers }) => `${payers} payers`],
    ['runs succeeded', ({ ends }) => String(ends.succeeded ?? 0)],
    ['  with the consumer’s own word', ({ evidence }) => String(evidence.connection ?? 0)],
    ['simulated time, hours', ({ simulatedHours }) => simulatedHours.toFixed(1)],
    ['wall time, seconds', ({ wallMs }) => (wallMs / 1000).toFixed(0)],
    ['per payer:', () => ''],
    ['  calls into other accounts and STS', ({ perPayer }) => one(perPayer.calls)],
    [
      `  the same, times those at ${smallest.payers}`,
      ({ perPayer }) => (perPayer.calls / smallest.perPayer.calls).toFixed(2),
    ],
    ['  looks of a step that waits on, among them', ({ perPayer }) => one(perPayer.waitingRepeats)],
    ['  calls of the hub’s own table', ({ perPayer }) => one(perPayer.tableCalls)],
    ['  calls of the event bus', ({ perPayer }) => one(perPayer.busCalls)],
    ['  events', ({ perPayer }) => one(perPayer.events)],
    ['  state transitions', ({ perPayer }) => one(perPayer.transitions)],
    ['  function invocations', ({ perPayer }) => one(perPayer.invocations)],
    ['  orchestration, USD', ({ perPayer }) => perPayer.usd.toFixed(4)],
    ['  orchestration after a wait of 24 h, USD', ({ perPayer }) => perPayer.usdAfterADay?.toFixed(4) ?? 'none'],
    ['throttled calls', ({ throttles }) => String(throttles.met)],
    ['  survived by sending the call again', ({ throttles }) => String(throttles.met - throttles.takenAgain)],
    ['  survived by taking the step again', ({ throttles }) => String(throttles.takenAgain)],
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

/** Runs that did not end well, by how they ended; empty if all did. */
export function failuresText({ ends }: MeasuredFleet): string {
  return Object.entries(ends)
    .filter(([end]) => end !== 'succeeded')
    .map(([end, count]) => `${count} ${end}`)
    .join(', ');
}
