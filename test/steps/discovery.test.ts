import { describe, expect, it } from 'vitest';
import { discovery } from '../../functions/steps/discovery.ts';
import { costReaders, type Workload } from '../../shared/workload.ts';
import { kubecostObjects, type Generation, type KubecostInstallation } from '../sandbox/kubernetes/kubecost.ts';
import type { Situation } from '../../shared/step.ts';

function readersOf(...installations: KubecostInstallation[]) {
  const workloads = installations
    .flatMap(kubecostObjects)
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map((object) => ({ kind: object.kind.toLowerCase(), object: object as unknown as Workload }));
  return costReaders(workloads, 'cloud-integration');
}

const input = {
  namespace: 'kubecost',
  secretName: 'cloud-integration',
  serviceAccount: undefined,
  coveredServiceAccounts: ['kubecost-serviceaccount', 'kubecost-cost-analyzer', 'kubecost', 'opencost'],
};

const plan = (readers: ReturnType<typeof readersOf>, more: Partial<Record<keyof typeof input, unknown>> = {}) =>
  discovery.plan({ ...input, ...more }, { readers, serviceAccounts: [] }, {} as Situation);

describe('discovery', () => {
  const expected: [Generation, string, string, string, string][] = [
    ['1.x', 'kubecost-1', 'deployment/kubecost-cost-analyzer', 'directory', 'kubecost-cost-analyzer'],
    ['2.x', 'kubecost-2', 'deployment/kubecost-cost-analyzer', 'directory', 'kubecost-cost-analyzer'],
    [
      '2.x-statefulset',
      'kubecost-2-statefulset',
      'deployment/kubecost-cloud-cost',
      'directory',
      'kubecost-cost-analyzer',
    ],
    ['3.x', 'kubecost-3', 'deployment/kubecost-cloud-cost', 'subPath', 'kubecost'],
    ['opencost', 'opencost', 'deployment/opencost', 'subPath', 'opencost'],
  ];

  it.each(expected)(
    'finds the cost reader of a %s installation',
    (generation, installation, workload, mount, account) => {
      expect(plan(readersOf({ generation }))).toMatchObject({
        kind: 'ready',
        output: { installation, workload, mount, serviceAccount: account, serviceAccountExists: false },
        warnings: [],
      });
    },
  );

  it('does not depend on the release name', () => {
    const [reader] = readersOf({ generation: '2.x', release: 'finops-prod' });
    expect(reader).toMatchObject({ workload: 'deployment/finops-prod-cost-analyzer', installation: 'kubecost-2' });
  });

  it('tells the generation by the image where a chart label is missing', () => {
    const [reader] = kubecostObjects({ generation: '3.x' })
      .filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'kubecost-cloud-cost')
      .map((object) => ({ ...object, metadata: { name: 'kubecost-cloud-cost' } }) as unknown as Workload);
    expect(costReaders([{ kind: 'deployment', object: reader as Workload }], 'cloud-integration')).toMatchObject([
      { installation: 'kubecost-3' },
    ]);
  });

  it('takes an agent without a cost reader for no installation', () => {
    const agent = kubecostObjects({ generation: '2.x-statefulset' })
      .filter(({ metadata }) => metadata.name === 'kubecost-cost-analyzer')
      .filter(({ kind }) => kind === 'Deployment');
    expect(
      costReaders(
        agent.map((object) => ({ kind: 'deployment', object: object as unknown as Workload })),
        's',
      ),
    ).toEqual([]);
  });

  it('falls back to the tutorial’s service account where nothing is installed', () => {
    expect(plan([])).toMatchObject({
      kind: 'ready',
      output: { installation: 'none', workload: null, mount: null, serviceAccount: 'kubecost-serviceaccount' },
    });
  });

  it('refuses a requested service account that the workload does not use, naming both', () => {
    const refused = plan(readersOf({ generation: '3.x' }), {
      serviceAccount: 'billing',
      coveredServiceAccounts: ['billing'],
    });
    expect(refused).toMatchObject({ kind: 'refuse', code: 'service-account-differs' });
    expect(JSON.stringify(refused)).toMatch(/runs as kubecost; requested was billing/);
  });

  it('asks for the name of a service account that our rights do not cover', () => {
    const readers = readersOf({ generation: '3.x', serviceAccount: 'cost-reader' });
    expect(plan(readers)).toMatchObject({ kind: 'refuse', code: 'service-account-differs' });
    const named = { serviceAccount: 'cost-reader', coveredServiceAccounts: ['cost-reader'] };
    expect(plan(readers, named)).toMatchObject({ kind: 'ready', output: { serviceAccount: 'cost-reader' } });
  });

  it('prefers the installation that mounts the secret', () => {
    const readers = readersOf({ generation: '2.x', secretName: null }, { generation: 'opencost' });
    expect(plan(readers)).toMatchObject({
      kind: 'ready',
      output: { installation: 'opencost', serviceAccount: 'opencost' },
    });
  });

  it('does not choose between two installations that run as different service accounts', () => {
    const readers = readersOf({ generation: '2.x' }, { generation: 'opencost' });
    expect(plan(readers)).toMatchObject({ kind: 'refuse', code: 'service-account-differs' });
    const named = plan(readers, { serviceAccount: 'opencost', coveredServiceAccounts: ['opencost'] });
    expect(named).toMatchObject({ kind: 'ready', output: { workload: 'deployment/opencost' } });
  });

  it('warns of the release that crashes on any file', () => {
    const readers = readersOf({ generation: 'opencost' }).map((reader) => ({
      ...reader,
      image: 'ghcr.io/opencost/opencost:1.121.2',
    }));
    expect(plan(readers)).toMatchObject({ kind: 'ready', warnings: [expect.stringContaining('1.121.2')] });
  });
});
