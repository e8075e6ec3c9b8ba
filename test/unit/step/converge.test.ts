import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TargetAccount } from '../../../shared/aws/target-account.ts';
import { KubernetesClient } from '../../../shared/kubernetes/client.ts';
import { OnboardingRequest } from '../../../shared/model/run-requests.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { converge, type EngineContext } from '../../../shared/step-runner/converge.ts';
import type { Lease } from '../../../shared/table/lease.ts';
import { put, sampleOutput, type SamplePlan, SampleStep } from '../../support/sample-step.ts';
import { smallest } from '../../support/stored-runs.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

const deployment = readSettings({
  TABLE_NAME: 'runs',
  DEPLOYMENT_ID: 'test',
  PROVISIONER_PATH: '/',
  PAYER_PROVISIONER_NAME: 'payer',
  CLUSTER_PROVISIONER_NAME: 'cluster',
  ALLOWED_HOST_SUFFIXES: '.eks.amazonaws.com',
  ALLOWED_NAMESPACES: 'kubecost, opencost,',
  EVENT_BUS_NAME: 'runs',
  VPC_SUBNET_IDS: '',
});

function context(recorded: string[]): EngineContext {
  const request = OnboardingRequest.parse(smallest);
  const account = (id: string) => new TargetAccount(id, { roleArn: id, sessionName: 'a' }, 'payer-access-denied');
  return {
    run: {
      runId: 'a',
      kind: 'onboarding',
      attempt: 1,
      status: 'running',
      createdAt: '2026-03-01T00:00:00.000Z',
      request,
      steps: {},
    },
    deployment,
    owner: { deploymentId: 'test', runId: 'a' },
    payer: account(request.payerAccountId),
    cluster: account(request.cluster.accountId),
    now: Date.now(),
    since: Date.now(),
    kubernetes: new KubernetesClient('https://cluster', '', () => Promise.resolve('token')),
    notes: {},
    changes: [],
    record: ({ resource }) => Promise.resolve(void recorded.push(resource)),
    keep: () => Promise.resolve(),
  };
}

/** Converges the sample; `recorded` gets the changes recorded until the end or the crash. */
function run(sample: SampleStep, { recorded = [], lease }: RunOptions = {}) {
  return converge(sample.step, context(recorded), lease);
}
interface RunOptions {
  recorded?: string[];
  lease?: Lease;
}

const done = { status: 'succeeded', output: sampleOutput, warnings: ['nearly full'] };

describe('a step', () => {
  it('creates missing resources in rounds and records each write', async () => {
    const sample = new SampleStep();
    const recorded: string[] = [];
    expect(await run(sample, { recorded })).toEqual(done);
    expect(sample.written).toEqual(['bucket', 'policy', 'tags']);
    expect(recorded).toEqual(sample.written);
  });

  it('writes nothing when it runs again', async () => {
    const sample = new SampleStep();
    await run(sample);
    sample.written.length = 0;
    expect(await run(sample)).toEqual(done);
    expect(sample.written).toEqual([]);
  });

  it('recreates only the resource that somebody deleted', async () => {
    const sample = new SampleStep();
    await run(sample);
    sample.written.length = 0;
    sample.notes.delete('policy');
    expect(await run(sample)).toEqual(done);
    expect(sample.written).toEqual(['policy']);
  });

  it.each([1, 2, 3])('continues after a crash right after write %i', async (last) => {
    const sample = new SampleStep();
    const recorded: string[] = [];
    sample.afterWrite = () => {
      if (sample.written.length === last) throw new Error('the function died');
    };
    await expect(run(sample, { recorded })).rejects.toThrow('the function died');
    expect(recorded).toHaveLength(last - 1);
    sample.afterWrite = () => undefined;
    expect(await run(sample)).toEqual(done);
    expect(sample.written).toEqual(['bucket', 'policy', 'tags']);
  });

  it('waits for a change that is not visible yet', async () => {
    const sample = new SampleStep();
    sample.holds = false;
    expect(await run(sample)).toMatchObject({
      status: 'waiting',
      wait: { reason: 'the change to take effect: put note bucket', seconds: 5, overdue: 'change-does-not-hold' },
    });
    expect(sample.written).toEqual(['bucket']);
  });

  it('waits if its changes undo each other', async () => {
    const turn = (resource: string): SamplePlan => ({
      kind: 'change',
      changes: [put(resource)],
      expected: sampleOutput,
    });
    const sample: SampleStep = new SampleStep({ plan: () => turn(['a', 'b', 'c'][sample.written.length % 3] ?? '') });
    expect(await run(sample)).toMatchObject({
      status: 'waiting',
      wait: { reason: 'the change to take effect: put note a' },
    });
    expect(sample.written).toEqual(['a', 'b', 'c']);
  });

  it('makes at most eight rounds of changes in one invocation', async () => {
    const sample: SampleStep = new SampleStep({
      plan: (notes) => ({ kind: 'change', changes: [put(`note-${notes.size}`)], expected: sampleOutput }),
    });
    expect(await run(sample)).toMatchObject({ status: 'waiting' });
    expect(sample.written).toHaveLength(8);
  });

  it('returns the wait of its plan', async () => {
    const wait: SamplePlan = {
      kind: 'wait',
      reason: 'the delivery',
      seconds: 900,
      deadlineSeconds: 172_800,
      overdue: 'delivery-overdue',
      expected: sampleOutput,
    };
    expect(await run(new SampleStep({ plan: () => wait }))).toEqual({ status: 'waiting', wait });
  });

  it('refuses with a code and reason and writes nothing', async () => {
    const sample = new SampleStep({ plan: () => ({ kind: 'refuse', code: 'bucket-not-ours', detail: 'bucket cur' }) });
    await expect(run(sample)).rejects.toMatchObject({
      name: 'UserError',
      code: 'bucket-not-ours',
      message: 'bucket cur',
    });
    expect(sample.written).toEqual([]);
  });

  it('starts no write shortly before its lease ends', async () => {
    const sample = new SampleStep();
    const lease = { scope: 'target#a', holder: 'a', expiresAt: Date.now() + 60_000 };
    sample.afterWrite = (resource) => {
      if (resource === 'policy') vi.setSystemTime(Date.now() + 50_000);
    };
    await expect(run(sample, { lease })).rejects.toMatchObject({ name: 'RetryableError' });
    expect(sample.written).toEqual(['bucket', 'policy']);
  });
});

describe('the deployment’s lists', () => {
  it('may contain spaces and a trailing comma', () => {
    expect(deployment.allowedNamespaces).toEqual(['kubecost', 'opencost']);
  });
});
