import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { maxPayersPerTarget } from '../../shared/access/grant-policy.ts';
import type { RunError } from '../../shared/model/run-schemas.ts';
import { targetId } from '../../shared/model/target.ts';
import { targetOf } from '../../shared/model/target.ts';
import type { TargetPayer } from '../../shared/targets/payers-of-target.ts';
import type { NewCluster } from '../sandbox/index.ts';
import { tableName } from '../support/deployed-sandbox.ts';
import { clusterArn, clusters } from '../support/scenario.ts';
import { type OneRun, StepHarness, writesOf } from '../support/step-harness.ts';

const [home] = clusters;

describe('preflight', () => {
  let stepHarness: StepHarness;
  beforeEach(async () => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    stepHarness = await StepHarness.open();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await stepHarness.close();
  });

  /** A run for the cluster, or for another cluster like it. */
  async function runFor(cluster: Partial<NewCluster> = {}): Promise<OneRun> {
    if (cluster.name) await stepHarness.world.eks.createCluster({ ...home, ...cluster });
    return stepHarness.begin('new-irsa', { cluster: { ...home, name: cluster.name ?? home.name } });
  }

  async function refusal(run: OneRun): Promise<RunError | undefined> {
    await run.take('preflight').catch(() => undefined);
    expect(writesOf(stepHarness.world.calls)).toEqual([]);
    return (await run.record('preflight')).error;
  }

  const inVpc = () => vi.stubEnv('VPC_SUBNET_IDS', 'subnet-1,subnet-2');
  /** A private endpoint answers this process, as it answers inside the VPC. */
  const hideEndpoint = () => {
    stepHarness.world.eks.cluster(clusterArn(home)).endpointPublicAccess = false;
  };

  it('refuses a private endpoint outside a VPC at once', async () => {
    hideEndpoint();
    expect(await refusal(await runFor())).toMatchObject({
      code: 'cluster-endpoint-private',
      remedy: expect.stringContaining('vpcSubnetIds') as string,
    });
  });

  it('accepts a private endpoint that responds inside the VPC', async () => {
    hideEndpoint();
    inVpc();
    expect((await (await runFor()).take('preflight')).answer?.status).toBe('succeeded');
  });

  it('refuses a private endpoint that does not respond inside the VPC', async () => {
    inVpc();
    expect(await refusal(await runFor({ name: 'closed', endpointPublicAccess: false }))).toMatchObject({
      code: 'cluster-unreachable',
    });
  });

  it('accepts only allowed host names inside a VPC', async () => {
    hideEndpoint();
    inVpc();
    vi.stubEnv('ALLOWED_HOST_SUFFIXES', '.eks.amazonaws.com');
    expect(await refusal(await runFor())).toMatchObject({ code: 'cluster-endpoint-not-allowed' });
  });

  it('refuses a cluster with only the aws-auth config map', async () => {
    expect(await refusal(await runFor({ name: 'old', authenticationMode: 'CONFIG_MAP' }))).toMatchObject({
      code: 'cluster-auth-mode',
      remedy: expect.stringMatching(/API_AND_CONFIG_MAP.*aws-auth config map is not supported/) as string,
    });
  });

  it('refuses one payer more than the pod’s policies can name', async () => {
    const run = await runFor();
    const most = maxPayersPerTarget;
    expect(most).toBeGreaterThan(1_000);
    const own = run.request.payerAccountId;
    await putPayers(run, [own, ...Array.from({ length: most }, (_, index) => String(300_000_000_000 + index))]);
    expect(await refusal(run)).toMatchObject({
      code: 'target-full',
      message: expect.stringContaining(String(most)) as string,
    });

    await putPayers(run, ['300000000000'], 'removing');
    expect((await (await runFor()).take('preflight')).answer?.status).toBe('succeeded');
  });

  async function putPayers(run: OneRun, payerAccountIds: string[], state: TargetPayer['state'] = 'proven') {
    const client = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: stepHarness.sandbox.tableEndpoint }));
    const pk = `target#${targetId(targetOf(run.request))}`;
    for (let start = 0; start < payerAccountIds.length; start += 25) {
      const requests = payerAccountIds.slice(start, start + 25).map((payerAccountId) => ({
        PutRequest: { Item: { pk, sk: `payer#${payerAccountId}`, payerAccountId, state, payerRoleArn: 'arn' } },
      }));
      await client.send(new BatchWriteCommand({ RequestItems: { [tableName]: requests } }));
    }
    client.destroy();
  }
});
