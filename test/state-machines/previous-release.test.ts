import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { interpret, type State, type StateMachine, VirtualClock } from '../sandbox/index.ts';

/** The definition that release 0.3.0 deployed. */
const definitionOf = (machine: string) =>
  JSON.parse(
    readFileSync(`test/golden/releases/${machine}-0.3.0.asl`, 'utf8').replaceAll(
      /\$\{(\w+)Arn\}/g,
      'arn:aws:lambda:us-east-1:999900001111:function:$1',
    ),
  ) as StateMachine;

/** The answers of a step of the current release that waits: for minutes, for hours, for the watcher. */
const waits: StepAnswer[] = [
  { status: 'waiting', seconds: 5, outdated: '' },
  { status: 'waiting', seconds: 600, outdated: '', callback: true, timeoutSeconds: 10_800 },
  { status: 'waiting', seconds: 605, outdated: '', callback: true, timeoutSeconds: 1_213_200 },
];

/** The functions of the machine's Wait states, those of its branches too. */
function waitingFunctions({ States }: StateMachine): string[] {
  const keyOf = (state: State | undefined) => (state?.Type === 'Task' ? [state.Resource.split(':').at(-1) ?? ''] : []);
  return Object.values(States).flatMap((state) => {
    if (state.Type === 'Parallel') return state.Branches.flatMap(waitingFunctions);
    return state.Type === 'Wait' ? keyOf(States[state.Next ?? '']) : [];
  });
}

describe('an execution of release 0.3.0', () => {
  it.each(['provision', 'offboard'])('of %s finishes on current answers at each of its waits', async (machine) => {
    const definition = definitionOf(machine);
    const clock = new VirtualClock(0);
    const asked: Record<string, number> = {};
    const execution = interpret(
      definition,
      { runId: 'r', attempt: 1, identityMode: 'irsa', from: 'preflight' },
      {
        clock,
        taskSeconds: 0,
        name: 'r-1',
        arn: 'arn:aws:states:us-east-1:999900001111:execution:provision:r-1',
        invoke: (arn) => {
          const key = arn.split(':').at(-1) ?? '';
          const index = asked[key] ?? 0;
          asked[key] = index + 1;
          return Promise.resolve(waits[index] ?? { status: 'succeeded', seconds: 0, outdated: '' });
        },
      },
    );
    expect((await execution.done).status).toBe('SUCCEEDED');
    clock.stop();
    const functions = new Set(waitingFunctions(definition));
    expect(functions.size).toBeGreaterThan(8);
    // One function of the other identity mode is not called.
    for (const key of functions) if (key !== 'podIdentity') expect(asked[key], key).toBeGreaterThan(waits.length);
  });
});
