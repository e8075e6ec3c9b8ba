/** Whole offboardings, over HTTP and through the deployed state machine. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { OffboardingRequestInput } from '../../shared/model/run-requests.ts';
import { connectionStatuses } from '../sandbox/index.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import { clusterArn, clusters, exampleRequest, examples, foreignFile, readSecret } from '../support/scenario.ts';
import { type Example, writesOf } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 1.5 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const [finops, platform] = clusters;

function offboardingRequest(example: Example, purge: OffboardingRequestInput['purge'] = []): OffboardingRequestInput {
  const { payerAccountId, cluster } = exampleRequest(example);
  return { payerAccountId, cluster, purge };
}

const differing = (before: Record<string, unknown>, after: Record<string, unknown>) =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );

describe('offboarding all payers', () => {
  it('restores the world except for what is documented as kept', async () => {
    const { stepHarness } = runHarness;
    const before = await worldSnapshot(stepHarness);
    const onboarded = await Promise.all(examples.map((example) => runHarness.onboard(example)));
    expect(onboarded.map(({ status }) => status)).toEqual(examples.map(() => 'succeeded'));
    const offboarded = await Promise.all(
      examples.map((example) =>
        runHarness.offboard(offboardingRequest(example, example.startsWith('new') ? ['report', 'data'] : [])),
      ),
    );
    expect(offboarded.map(({ status, error }) => [status, error])).toEqual(examples.map(() => ['succeeded', null]));
    const after = await worldSnapshot(stepHarness);

    expect(differing(before, after).sort()).toEqual([
      // Its template records the restarts.
      'finops Deployment kubecost/kubecost-cloud-cost',
      // It lacks the taken-over payer; every other byte is unchanged.
      'finops Secret kubecost/cloud-integration',
      'item payer#111122220001 purged-report#kubecost_cur',
      'item payer#111122220002 purged-report#kubecost_cur',
      'platform Deployment kubecost/kubecost-cost-analyzer',
      // Kubecost mounts it, so its pods need it to start.
      'platform Secret kubecost/cloud-integration',
      // Others may use it.
      expect.stringMatching(/^provider arn:aws:iam::222233330001:oidc-provider/) as string,
    ]);
    const handMade = foreignFile.indexOf(',\n        {"athenaBucketName":"s3://borealis');
    expect(readSecret(stepHarness.world, finops)).toBe(`${foreignFile.slice(0, handMade)}\n    ]\n}\n`);
    expect(JSON.parse(readSecret(stepHarness.world, platform) ?? '')).toEqual({ aws: { athena: [] } });

    const again = stepHarness.world.calls.length;
    const repeated = await Promise.all(examples.map((example) => runHarness.offboard(offboardingRequest(example))));
    expect(repeated.map(({ status }) => status)).toEqual(examples.map(() => 'succeeded'));
    expect(writesOf(stepHarness.world.calls.slice(again)).filter(({ service }) => service !== 'events')).toEqual([]);
    expect(await worldSnapshot(stepHarness)).toEqual(after);
  });
});

describe('offboarding a payer from one of its clusters', () => {
  it('keeps the other cluster connected until its own offboarding', async () => {
    const { world } = runHarness.stepHarness;
    const request = exampleRequest('adopt-report');
    const roles = () => world.iam.roles(request.payerAccountId).map(({ name }) => name);
    const before = roles();
    for (const { accountId, region, name } of clusters) {
      const run = await runHarness.onboard('adopt-report', { cluster: { accountId, region, name } });
      expect(run).toMatchObject({ status: 'succeeded', evidence: { level: 'connection' } });
    }
    const statuses = (cluster: (typeof clusters)[number]) =>
      Object.entries(connectionStatuses(world, clusterArn(cluster))).filter(([key]) =>
        key.startsWith(request.payerAccountId),
      );
    const offboard = ({ accountId, region, name }: (typeof clusters)[number]) =>
      runHarness.offboard({ payerAccountId: request.payerAccountId, cluster: { accountId, region, name } });

    const first = await offboard(finops);
    expect(first).toMatchObject({ status: 'succeeded', error: null });
    expect(stepOf(first, 'remove-payer-role').output?.kept).toEqual([
      expect.objectContaining({ why: expect.stringContaining('another target still needs it') as string }),
    ]);
    expect(statuses(finops)).toEqual([]);
    // Kubecost queries again every six hours.
    await world.clock.sleep(7 * 3600_000);
    expect(statuses(platform).map(([, status]) => status)).toEqual(['Connection Successful']);

    expect(await offboard(platform)).toMatchObject({ status: 'succeeded', error: null });
    expect(statuses(platform)).toEqual([]);
    expect(roles()).toEqual(before);
  });
});
