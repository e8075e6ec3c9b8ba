import { expect, it } from 'vitest';
import type { Secret } from '../../../shared/publication/integration-secret.ts';
import { needsRestart, type PodRequirements, type Restartable } from '../../../shared/publication/workload-restart.ts';

const required: PodRequirements = {
  mount: 'directory',
  container: 'cost-model',
  role: { mode: 'irsa', arn: 'arn:aws:iam::222233334444:role/pod' },
  boundAt: 0,
  since: Date.parse('2026-03-02T00:00:00Z'),
};
const secret: Secret = { metadata: { name: 'cloud-integration', creationTimestamp: '2026-01-01T00:00:00Z' } };

function restartsAfter(restartedAt: string, createdAt: string, since = required.since): boolean {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': restartedAt };
  const workload: Restartable = { metadata: { name: 'kubecost' }, spec: { template: { metadata: { annotations } } } };
  const pod = {
    metadata: { name: 'kubecost-1', creationTimestamp: createdAt },
    spec: { containers: [{ name: 'cost-model' }] },
    status: { phase: 'Running' },
  };
  return needsRestart({ ...required, since }, workload, [pod], secret);
}

it.each([
  ['by hand', '2026-03-01T10:00:00+01:00', '2026-03-01T09:00:00Z'],
  ['by us', '2026-03-01T09:00:00.420Z', '2026-03-01T09:00:00Z'],
])('restarts pods without the role that a restart %s created', (_, at, made) => {
  expect(restartsAfter(at, made)).toBe(true);
});

it('does not restart pods without the role twice', () => {
  expect(restartsAfter('2026-03-01T09:00:00.420Z', '2026-03-01T08:00:00Z')).toBe(false);
  const since = Date.parse('2026-03-01T08:59:00Z');
  expect(restartsAfter('2026-03-01T09:00:00.420Z', '2026-03-01T09:00:00Z', since)).toBe(false);
});
