import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { steps } from '../../functions/steps/index.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { type RunKind, stepNamesOf } from '../../shared/model/step-names.ts';
import type { DeclaredWait } from '../../shared/step/contract.ts';
import { callbackAfterSeconds, secondsToNextLook } from '../../shared/step/look-times.ts';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { engineWaits } from '../../shared/step-runner/park.ts';
import { functionKey } from '../../state-machines/states.ts';
import { interpret, type StateMachine, TaskTokens, VirtualClock } from '../sandbox/index.ts';

/*
 * The longest history that one execution can have, at any setting that a request may have. Counted: the generated definition with every
 * step, each of which spends the whole time of every wait that it declares, at the shortest intervals that the engine allows; the steps
 * that a second discovery repeats; each way back of `outdated` once. A wait that ends early has fewer looks.
 *
 * Not counted: the state machine's own retries of errors, three events each. AWS's limit of 25,000 leaves room for more than 6,000.
 */
const mostEvents = 5000;

const answered = (answer: Partial<StepAnswer>): StepAnswer => ({
  status: 'succeeded',
  seconds: 0,
  outdated: '',
  ...answer,
});

/** The answers of a step that spends the whole time of the wait. @param before seconds that it has waited already */
function longest(declared: DeclaredWait, watched: boolean, before = 0): StepAnswer[] {
  const answers: StepAnswer[] = [];
  for (let waited = 0; waited < declared.longestSeconds;) {
    const seconds = secondsToNextLook(declared, answers.length, before + waited);
    const callback = watched || before + waited >= callbackAfterSeconds;
    answers.push(
      answered({ status: 'waiting', seconds, ...(callback && { callback: true, timeoutSeconds: seconds + 3600 }) }),
    );
    waited += seconds;
  }
  return answers;
}

function longestOf(name: StepName): StepAnswer[] {
  const step = steps[name];
  const { waits = {}, watchedWaits = {}, lease, after } = step;
  const unwatched = [
    ...Object.values(waits),
    ...(lease ? [engineWaits.lease] : []),
    ...(after ? [engineWaits.settling] : []),
    ...('apply' in step ? [engineWaits.effect] : []),
  ];
  // The shortest wait first: then the longest ones have the shortest intervals that the engine allows.
  const answers = unwatched
    .toSorted((a, b) => a.longestSeconds - b.longestSeconds)
    .reduce<StepAnswer[]>((before, declared) => {
      const waited = before.reduce((sum, { seconds }) => sum + seconds, 0);
      return [...before, ...longest(declared, false, waited)];
    }, []);
  return [...answers, ...Object.values(watchedWaits).flatMap((declared) => longest(declared, true))];
}

/** The history of an execution in which everything takes as long as it may. */
async function longestHistory(kind: RunKind, identityMode: string): Promise<number> {
  const file = `state-machines/${kind === 'onboarding' ? 'provision' : 'offboard'}.asl`;
  const text = readFileSync(file, 'utf8').replaceAll(
    /\$\{(\w+)Arn\}/g,
    'arn:aws:lambda:us-east-1:999900001111:function:$1',
  );
  // Together the declared waits are longer than an execution may be.
  const definition: StateMachine = { ...(JSON.parse(text) as StateMachine), TimeoutSeconds: 10 * 365 * 24 * 3600 };
  const clock = new VirtualClock(0);
  const tokens = new TaskTokens();
  const names = new Map(stepNamesOf[kind].map((name) => [functionKey(name), name]));
  const queues = new Map<StepName, StepAnswer[]>();
  let discoveries = 0;
  const answer = (name: StepName): StepAnswer => {
    const queue = queues.get(name) ?? longestOf(name);
    queues.set(name, queue);
    const waits = queue.shift();
    if (waits) return waits;
    queues.delete(name);
    if (name !== 'discovery') return answered({});
    discoveries++;
    return answered({ outdated: discoveries === 1 || discoveries === 3 ? 'cluster-access' : '' });
  };
  const execution = interpret(
    definition,
    { runId: 'r', attempt: 1, identityMode },
    {
      clock,
      tokens,
      name: 'r-1',
      arn: 'arn:aws:states:us-east-1:999900001111:execution:provision:r-1',
      taskSeconds: 0,
      invoke: (arn, payload) => {
        const key = arn.split(':').at(-1) ?? '';
        const { token } = payload as { token?: string };
        if (token !== undefined) void clock.sleep(300_000).then(() => tokens.send(token, { output: {} }));
        const name = names.get(key);
        return Promise.resolve(name ? answer(name) : { status: 'succeeded' });
      },
    },
  );
  const result = await execution.done;
  clock.stop();
  expect(result.status).toBe('SUCCEEDED');
  if (kind === 'onboarding') expect(discoveries).toBe(3);
  return execution.events();
}

describe('the longest possible history', () => {
  it.each<[RunKind, string]>([
    ['onboarding', 'irsa'],
    ['onboarding', 'pod-identity'],
    ['offboarding', 'irsa'],
  ])('of an %s with %s stays under 5,000 events', async (kind, identityMode) => {
    const events = await longestHistory(kind, identityMode);
    expect(events).toBeLessThan(mostEvents);
  });

  it('has looks that grow with the logarithm of the time', () => {
    const wait = { seconds: 5, longestSeconds: 14 * 24 * 3600 };
    expect(longest(wait, false).length).toBeLessThan(80);
    expect(longest({ ...wait, longestSeconds: 2 * wait.longestSeconds }, false).length).toBeLessThan(84);
  });
});
