import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { payerRoleName } from '../../shared/aws/names.ts';
import { foreignKeys } from '../../shared/integration-file/merge.ts';
import { entriesOf, RunHarness, stepOf } from '../support/run-harness.ts';
import { clusters, examples, foreignFile, readSecret } from '../support/scenario.ts';
import { type StepHarness, writesOf } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

let runHarness: RunHarness;
let stepHarness: StepHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open();
  ({ stepHarness } = runHarness);
});
afterAll(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const [finops, platform] = clusters;

describe('an onboarding over HTTP', () => {
  it('connects a new payer with IRSA and AWS’s crawler template', async () => {
    const run = await runHarness.onboard('new-irsa');
    expect(run.error).toBeNull();
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'crawler-stack').output).toMatchObject({ kind: 'template' });
    expect(run.evidence).toMatchObject({
      level: 'connection',
      connection: { verdict: 'proven', connectionStatus: 'Connection Successful', source: 'status' },
      query: { level: 'pod-chain' },
    });
    expect(run.evidence?.query.rowCount).toBeGreaterThan(0);
    expect(run.evidence?.entry).toMatchObject({
      projectID: '111122220001',
      masterPayerARN: 'arn:aws:iam::111122220001:role/kubecost-cur-access',
    });
    expect(entriesOf(runHarness, finops).at(-1)).toEqual(run.evidence?.entry);
    const proven = Date.parse(stepOf(run, 'chain-proof').endedAt ?? '');
    const minutes = (proven - Date.parse(run.createdAt)) / 60_000;
    expect(minutes, 'the chain is proven while AWS prepares the first delivery').toBeLessThan(10);
  });

  it('connects a new payer with EKS Pod Identity and our own table', async () => {
    const run = await runHarness.onboard('new-pod-identity');
    expect(run.error).toBeNull();
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'crawler-stack').output).toMatchObject({ kind: 'none' });
    expect(run.evidence?.query.level).toBe('narrowed-session');
    const functions = [...stepHarness.world.cloudformation.functions.keys()].filter((arn) =>
      arn.includes('111122220002'),
    );
    expect(functions).toEqual([]);
    const file = JSON.parse(readSecret(stepHarness.world, platform) ?? '{}') as { aws: { athena: unknown[] } };
    expect(file.aws.athena).toEqual([run.evidence?.entry]);
  });

  it('adopts a usable report within ten minutes without changing its bucket', async () => {
    const bucket = () => {
      const { policy, tags, lifecycle, notification } = stepHarness.world.s3.buckets.get('acme-billing-cur') ?? {};
      return { policy: policy?.text, tags, lifecycle, notification };
    };
    const before = bucket();
    const run = await runHarness.onboard('adopt-report');
    expect(run.error).toBeNull();
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'report-choice').output).toMatchObject({ choice: 'adopt', reportName: 'acme_daily' });
    expect({ ...bucket(), notification: before.notification }).toEqual(before);
    const written = stepOf(run, 'publish').changes.find(({ do: action }) => action === 'update-secret');
    const minutes = (Date.parse(written?.at ?? '') - Date.parse(run.createdAt)) / 60_000;
    expect(minutes, 'the run does not wait for a delivery').toBeLessThan(10);
  });

  it('takes over hand-made resources and keeps a person’s additions', async () => {
    const run = await runHarness.onboard('take-over-hand-made');
    expect(run.error).toBeNull();
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'crawler-stack').output).toMatchObject({
      kind: 'adopted-table',
      athenaDatabase: 'borealis_billing',
    });
    const role = stepHarness.world.iam.role('111122220004', payerRoleName);
    expect([...(role?.inline.keys() ?? [])]).toContain('team-notes');
    expect(role?.tags.get('managed-by')).toBe('kubecost-payer-onboarding');
    const own = entriesOf(runHarness, finops).filter(({ projectID }) => projectID === '111122220004');
    expect(own).toEqual([run.evidence?.entry]);
  });

  it('keeps the place and bytes of every foreign entry', () => {
    const text = readSecret(stepHarness.world, finops) ?? '';
    const foreign = foreignFile.slice(0, foreignFile.indexOf('{"athenaBucketName":"s3://borealis'));
    expect(text.startsWith(foreign)).toBe(true);
    expect(foreignKeys(text, new Set())).toHaveLength(5);
  });

  it.each(examples)('changes nothing when %s runs again', async (example) => {
    const before = await worldSnapshot(stepHarness);
    const calls = stepHarness.world.calls.length;
    const run = await runHarness.onboard(example);
    expect(run.error).toBeNull();
    expect(run.status).toBe('succeeded');
    expect(run.changes).toBe(0);
    expect(run.steps.flatMap(({ changes }) => changes)).toEqual([]);
    expect(writesOf(stepHarness.world.calls.slice(calls))).toEqual([]);
    expect(await worldSnapshot(stepHarness)).toEqual(before);
  });
});
