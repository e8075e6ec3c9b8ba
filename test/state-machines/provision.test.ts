import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { onboardingStepNames, phaseSteps, type StepName } from '../../shared/model/step-names.ts';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { functionKey } from '../../state-machines/states.ts';
import { interpret, type Json, type StateMachine, VirtualClock } from '../sandbox/index.ts';

const deployed = readFileSync('state-machines/provision.asl', 'utf8');
const definition = JSON.parse(
  deployed.replaceAll(/\$\{(\w+)Arn\}/g, 'arn:aws:lambda:us-east-1:999900001111:function:$1'),
) as StateMachine;
const startMs = Date.parse('2026-11-23T08:00:00Z');

/** Steps that can fail while `billing` waits for the first delivery. */
const besideBilling: StepName[] = [...phaseSteps.query, ...phaseSteps.identity, ...phaseSteps.access];

type Script = Partial<Record<StepName | 'close', (call: number) => unknown>>;

/** Runs the deployed definition with scripted functions; a function without a script succeeds at once. */
async function run(script: Script, identityMode = 'irsa', more: { from?: StepName } = {}) {
  const clock = new VirtualClock(startMs);
  const calls: { name: string; second: number; payload: Json }[] = [];
  const counts = new Map<string, number>();
  const names = new Map<string, StepName | 'close'>(
    [...onboardingStepNames, 'close' as const].map((name) => [functionKey(name), name]),
  );
  const execution = interpret(
    definition,
    { runId: 'r-1', attempt: 1, identityMode, ...more },
    {
      clock,
      name: 'r-1-1',
      arn: 'arn:aws:states:us-east-1:999900001111:execution:provision:r-1-1',
      random: () => 0.5,
      invoke: (arn, payload) => {
        const name = names.get(arn.split(':').at(-1) ?? '') ?? 'close';
        const call = (counts.get(name) ?? 0) + 1;
        counts.set(name, call);
        calls.push({ name, second: Math.round((clock.now() - startMs) / 1000), payload });
        const failed = typeof payload === 'object' && payload !== null && 'failure' in payload;
        const answer =
          script[name]?.(call) ?? (name === 'close' ? { status: failed ? 'failed' : 'succeeded' } : answered({}));
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
  );
  const result = await execution.done;
  clock.stop();
  return { result, calls, order: calls.map(({ name }) => name), transitions: execution.transitions() };
}

/** A step's complete answer. */
const answered = (answer: Partial<StepAnswer>): StepAnswer => ({
  status: 'succeeded',
  seconds: 0,
  outdated: '',
  ...answer,
});
const waiting = (seconds: number) => answered({ status: 'waiting', seconds });

function namedError(name: string): Error {
  const error = new Error(`${name} happened`);
  error.name = name;
  return error;
}

describe('the state machine', () => {
  it('runs every step of the identity mode once, and discovery twice', async () => {
    const { result, order } = await run({});
    expect(result.status).toBe('SUCCEEDED');
    const taken = [...onboardingStepNames.filter((name) => name !== 'pod-identity'), 'discovery', 'close'];
    expect([...order].sort()).toEqual(taken.sort());
    expect(order.slice(0, phaseSteps.preparation.length)).toEqual(phaseSteps.preparation);
    const afterBranches = [...phaseSteps.proof, 'discovery', ...phaseSteps.publication, 'close'];
    expect(order.slice(-afterBranches.length)).toEqual(afterBranches);
  });

  it.each<[StepName, string[]]>([
    ['preflight', ['preflight', 'reportChoice', 'clusterAccess']],
    ['discovery', ['discovery', 'publish', 'loadProof', 'retireCrawler', 'close']],
    ['load-proof', ['loadProof', 'retireCrawler', 'close']],
  ])('starts at the step that its input names: %s', async (from, first) => {
    const { result, order } = await run({}, 'irsa', { from });
    expect(result.status).toBe('SUCCEEDED');
    expect(order.slice(0, first.length).map(functionKey)).toEqual(first);
    if (first.includes('close')) expect(order).toHaveLength(first.length);
  });

  it('runs cluster-access again if the first discovery asks for it', async () => {
    const { result, order } = await run({
      discovery: (call) => answered({ outdated: call === 1 ? 'cluster-access' : '' }),
    });
    expect(result.status).toBe('SUCCEEDED');
    expect(order.slice(2, 6)).toEqual(['cluster-access', 'discovery', 'cluster-access', 'discovery']);
    expect(order.filter((name) => name === 'discovery')).toHaveLength(3);
  });

  it.each(['cluster-access', 'pod-role'] as const)(
    'runs the access steps again if the second discovery asks for %s',
    async (outdated) => {
      const script: Script = { discovery: (call) => answered({ outdated: call === 2 ? outdated : '' }) };
      const { result, order } = await run(script);
      expect(result.status).toBe('SUCCEEDED');
      const again = ['cluster-access', 'pod-role', 'payer-role', 'grant', 'chain-proof', ...phaseSteps.publication];
      expect(order.slice(-again.length - 2)).toEqual(['discovery', ...again, 'close']);
      expect((await run(script, 'pod-identity')).order.slice(-8, -6)).toEqual(['pod-identity', 'payer-role']);
    },
  );

  it('does not repeat steps if the first discovery asks for pod-role', async () => {
    const { result, order } = await run({
      discovery: (call) => answered({ outdated: call === 1 ? 'pod-role' : '' }),
    });
    expect(result.status).toBe('SUCCEEDED');
    expect(order.filter((name) => name === 'cluster-access')).toHaveLength(1);
  });

  it('runs pod-identity instead of pod-role for EKS Pod Identity', async () => {
    const { order } = await run({}, 'pod-identity');
    expect(order).toContain('pod-identity');
    expect(order).not.toContain('pod-role');
  });

  it('runs pod-chain while it waits for the first delivery', async () => {
    const { calls } = await run({
      'first-delivery': (call) => (call < 97 ? waiting(900) : undefined),
    });
    const second = (name: string) => calls.filter((call) => call.name === name).at(-1)?.second ?? Number.NaN;
    expect(second('chain-proof')).toBeLessThan(60);
    expect(second('first-delivery')).toBeGreaterThanOrEqual(24 * 3600);
    expect(second('publish')).toBeGreaterThan(second('first-delivery'));
  });

  it('passes only ids to the steps', async () => {
    const { calls } = await run({});
    for (const { name, payload } of calls.filter(({ name }) => name !== 'close')) {
      expect(payload, name).toEqual({ runId: 'r-1', attempt: 1 });
    }
  });

  it.each(onboardingStepNames.filter((name) => name !== 'pod-identity'))(
    'ends the run through close when %s fails',
    async (name) => {
      const { result, order, calls } = await run({
        ...(besideBilling.includes(name) && { 'first-delivery': () => waiting(900) }),
        [name]: () => namedError('UserError'),
      });
      expect(result).toMatchObject({ status: 'FAILED', error: 'RunFailed' });
      expect(order.at(-1)).toBe('close');
      expect(order.filter((step) => step === 'close')).toHaveLength(1);
      expect(
        order.filter((step) => step === name),
        'a user error is not retried',
      ).toHaveLength(1);
      const closing = calls.at(-1)?.payload as { failure: { Error: string } };
      expect(closing.failure.Error).toBe('UserError');
      expect(calls.at(-1)?.second, 'a failed branch does not wait for the other branches').toBeLessThan(600);
    },
  );

  it.each([
    'RetryableError',
    'Lambda.TooManyRequestsException',
    'Lambda.ResourceNotReadyException',
    'Lambda.ResourceConflictException',
    'Sandbox.Timedout',
  ])('retries %s with growing pauses', async (name) => {
    const { result, order } = await run({ grant: (call) => (call < 4 ? namedError(name) : undefined) });
    expect(result.status).toBe('SUCCEEDED');
    expect(order.filter((step) => step === 'grant')).toHaveLength(4);
  });

  it('fails the run if a step stays unavailable for minutes', async () => {
    const { result, calls } = await run({ grant: () => namedError('RetryableError') });
    expect(result.status).toBe('FAILED');
    const attempts = calls.filter(({ name }) => name === 'grant');
    expect(attempts).toHaveLength(9);
    expect(attempts.at(-1)?.second).toBeLessThan(600);
  });

  it('never retries a terminal error', async () => {
    const { order } = await run({ publish: () => namedError('TerminalError') });
    expect(order.filter((step) => step === 'publish')).toHaveLength(1);
  });

  it('closes the run although close fails once', async () => {
    const { result } = await run({ close: (call) => (call === 1 ? namedError('RetryableError') : undefined) });
    expect(result.status).toBe('SUCCEEDED');
  });

  it('stays below the history limit in the longest possible wait', async () => {
    const { transitions } = await run({
      'first-delivery': (call) => (call <= 2000 ? waiting(604) : undefined),
    });
    // Each poll adds nine events and three transitions: Wait, Task and Choice.
    expect(transitions * 3).toBeLessThan(25_000);
  });
});
