import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { grantPolicyName, payerRoleName, podRoleName } from '../../shared/aws/names.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { type Cluster, entriesOf, RunHarness } from '../support/run-harness.ts';
import { clusterArn, clusters, exampleRequest, foreignFile, readSecret } from '../support/scenario.ts';
import { seedRandom } from '../support/seeded-random.ts';

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 0.25 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const [finops, platform] = clusters;
/** The service accounts that the charts create. */
const serviceAccounts = { finops: 'kubecost', platform: 'kubecost-cost-analyzer' };
/** Each seed gives the state machine's retries other random delays. */
const seeds = isLongSuite ? [1, 2] : [1];

function expectSucceeded(runs: readonly Run[]): void {
  for (const run of runs) {
    expect(run.error, run.request.payerAccountId).toBeNull();
    expect(run.status).toBe('succeeded');
  }
}

function grantedRoles(cluster: Cluster): string[] {
  const name = grantPolicyName(clusterArn(cluster), 'kubecost', serviceAccounts[cluster.name]);
  const policy = runHarness.stepHarness.world.iam.policies.get(`arn:aws:iam::${cluster.accountId}:policy/${name}`);
  const { Statement } = JSON.parse(policy?.content.current?.text ?? '{}') as { Statement: { Resource: string[] }[] };
  return Statement.flatMap(({ Resource }) => Resource).sort();
}

function payersIn(cluster: Cluster): string[] {
  return entriesOf(runHarness, cluster)
    .map(({ projectID }) => String(projectID))
    .sort();
}

describe('simultaneous runs', () => {
  it.each(seeds)('publish two payers to one target (seed %i)', async (seed) => {
    seedRandom(seed);
    const runs = await Promise.all([runHarness.onboard('adopt-report'), runHarness.onboard('take-over-hand-made')]);
    expectSucceeded(runs);
    expect(payersIn(finops)).toEqual(['111122220003', '111122220004', '555566667777']);
    expect(grantedRoles(finops)).toEqual(
      ['111122220003', '111122220004'].map((account) => `arn:aws:iam::${account}:role/${payerRoleName}`),
    );
    const azure = foreignFile.slice(0, foreignFile.indexOf('"aws"'));
    expect(readSecret(runHarness.stepHarness.world, finops)?.startsWith(azure)).toBe(true);
    expect(await runHarness.stepHarness.items('lease#')).toEqual([]);
  });

  it.each(seeds)('connect one payer to two clusters (seed %i)', async (seed) => {
    seedRandom(seed);
    const runs = await Promise.all(
      clusters.map((cluster) => runHarness.onboard('adopt-report', { cluster: { ...cluster } })),
    );
    expectSucceeded(runs);
    expect(payersIn(finops)).toContain('111122220003');
    expect(payersIn(platform)).toEqual(['111122220003']);
    const trust = runHarness.stepHarness.world.iam.role('111122220003', payerRoleName)?.trust.current?.text;
    for (const cluster of clusters) {
      const name = podRoleName(clusterArn(cluster), 'kubecost', serviceAccounts[cluster.name]);
      expect(trust).toContain(`arn:aws:iam::${cluster.accountId}:role/${name}`);
      expect(grantedRoles(cluster)).toEqual([`arn:aws:iam::111122220003:role/${payerRoleName}`]);
    }
    const [first] = await Promise.all(
      clusters.map((cluster) => runHarness.onboard('adopt-report', { cluster: { ...cluster } })),
    );
    expect(first?.changes, 'neither run removes what the other run needs').toBe(0);
  });

  it('of one payer and target are refused except the first', async () => {
    const body = JSON.stringify(exampleRequest('adopt-report'));
    const headers = { 'content-type': 'application/json' };
    const answers = await Promise.all(
      [1, 2, 3].map(() => runHarness.api.fetch('POST', '/v1/onboardings', { body, headers })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
    const started = (await answers.find(({ status }) => status === 202)?.json()) as Run;
    for (const refused of answers.filter(({ status }) => status === 409)) {
      expect(refused.headers.get('location')).toBe(`/v1/runs/${started.runId}`);
      expect(await refused.json()).toMatchObject({ code: 'run-active' });
    }
    expectSucceeded([await runHarness.api.untilEnded(started.runId)]);
    expect(runHarness.stepHarness.world.states.executions.size).toBe(1);
  });

  it('onboard four payers to two clusters', async () => {
    const examples = ['new-irsa', 'new-pod-identity', 'adopt-report', 'take-over-hand-made'] as const;
    const runs = await Promise.all(examples.map((example) => runHarness.onboard(example)));
    expectSucceeded(runs);
    expect(payersIn(finops)).toEqual(['111122220001', '111122220003', '111122220004', '555566667777']);
  });
});
