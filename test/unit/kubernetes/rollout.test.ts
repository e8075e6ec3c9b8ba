import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../shared/kubernetes/pods.ts';
import { type RollingWorkload, rolloutOf } from '../../../shared/kubernetes/rollout.ts';

const reader = { name: 'deployment/kubecost-cloud-cost', container: 'cloud-cost' };
const settled = { observedGeneration: 3, replicas: 1, updatedReplicas: 1, readyReplicas: 1 };

function workload(status: RollingWorkload['status'] = settled, spec: RollingWorkload['spec'] = { replicas: 1 }) {
  return { metadata: { name: 'kubecost-cloud-cost', generation: 3 }, spec, status };
}

interface PodFields {
  hash?: string;
  born?: string;
  ready?: boolean;
  ending?: boolean;
  waiting?: { reason: string; message?: string };
  container?: string;
}

function pod(name: string, fields: PodFields = {}): Pod {
  const {
    hash = 'new',
    born = '2026-03-02T11:00:00Z',
    ready = true,
    ending,
    waiting,
    container = 'cloud-cost',
  } = fields;
  return {
    metadata: {
      name,
      labels: { 'pod-template-hash': hash },
      creationTimestamp: born,
      ...(ending && { deletionTimestamp: born }),
    },
    spec: { containers: [{ name: container }] },
    status: {
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [{ name: container, ready, restartCount: 4, state: waiting ? { waiting } : {} }],
    },
  };
}

describe('a rollout', () => {
  it('is over when all newest pods are ready', () => {
    expect(rolloutOf(reader, workload(), [pod('a')])).toMatchObject({
      state: 'ready',
      pods: [{ metadata: { name: 'a' } }],
    });
  });

  it('ignores pods that are ending', () => {
    const pods = [pod('old', { hash: 'old', ending: true }), pod('new')];
    expect(rolloutOf(reader, workload(), pods)).toMatchObject({
      state: 'ready',
      pods: [{ metadata: { name: 'new' } }],
    });
  });

  it.each([
    ['the controller has not observed the template', workload({ ...settled, observedGeneration: 2 }), [pod('a')]],
    ['an older pod is still there', workload({ ...settled, replicas: 2 }), [pod('a')]],
    ['no new pod exists yet', workload({ ...settled, updatedReplicas: 0 }), [pod('a')]],
    ['the new pod is not ready', workload({ ...settled, readyReplicas: 0 }), [pod('a', { ready: false })]],
    ['it has been scaled to zero', workload(settled, { replicas: 0 }), []],
    ['the workload is gone', undefined, []],
    ['there is no status yet', workload({}), []],
  ])('continues while %s', (_, object, pods) => {
    expect(rolloutOf(reader, object, pods).state).toBe('rolling');
  });

  it.each([
    ['CrashLoopBackOff', 'cloud-cost', 'consumer-crashes'],
    ['CrashLoopBackOff', 'aggregator', 'rollout-failed'],
    ['ImagePullBackOff', 'cloud-cost', 'rollout-failed'],
    ['ErrImagePull', 'cloud-cost', 'rollout-failed'],
    ['CreateContainerConfigError', 'cloud-cost', 'rollout-failed'],
    ['RunContainerError', 'cloud-cost', 'rollout-failed'],
  ])('fails with %s of %s', (reason, container, code) => {
    const message = 'secret "cloud-integration" not found';
    const pods = [pod('a', { ready: false, waiting: { reason, message }, container })];
    const rollout = rolloutOf(reader, workload({ ...settled, readyReplicas: 0 }), pods);
    expect(rollout).toEqual({
      state: 'failed',
      code,
      detail: `pod a, container ${container}: ${reason}: ${message}`,
      lastsSeconds: 120,
    });
  });

  it('waits for a container that is being created', () => {
    const pods = [pod('a', { ready: false, waiting: { reason: 'ContainerCreating' } })];
    expect(rolloutOf(reader, workload({ ...settled, readyReplicas: 0 }), pods).state).toBe('rolling');
  });

  it('ignores the failures of older pods', () => {
    const waiting = { reason: 'CrashLoopBackOff' };
    const old = pod('old', { hash: 'old', born: '2026-03-01T11:00:00Z', ready: false, waiting });
    expect(rolloutOf(reader, workload({ ...settled, replicas: 2 }), [old, pod('new')]).state).toBe('rolling');
  });

  it('has failed once its deadline is exceeded', () => {
    const message = 'ReplicaSet "kubecost-cloud-cost-1" has timed out progressing.';
    const conditions = [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message }];
    const rollout = rolloutOf(reader, workload({ ...settled, readyReplicas: 0, conditions }), []);
    expect(rollout).toEqual({
      state: 'failed',
      code: 'rollout-failed',
      detail: `${reader.name}: ${message}`,
      lastsSeconds: 0,
    });
  });
});
