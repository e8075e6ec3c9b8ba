import { SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newClient } from '../../shared/aws/clients.ts';
import { payerRoleName } from '../../shared/aws/names.ts';
import type { ErrorCode } from '../../shared/errors/catalogue.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { hubAccountId, hubRegion } from '../support/deployed-sandbox.ts';
import { minutesOf, putFile, RunHarness, stepOf } from '../support/run-harness.ts';
import { clusterArn, clusters, exampleRequest, readSecret } from '../support/scenario.ts';
import type { Example } from '../support/step-harness.ts';

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open();
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const [finops, platform] = clusters;
const curBucket = 'kubecost-cur-111122220001-us-east-1';

interface FailureCase {
  what: string;
  example: Example;
  code: ErrorCode;
  step: StepName;
  plant: () => void;
}

const failureCases: FailureCase[] = [
  {
    what: 'a pod role that trusts another service account',
    example: 'new-irsa',
    code: 'service-account-subject-mismatch',
    step: 'pod-role',
    plant: () => {
      const { iam, eks } = runHarness.stepHarness.world;
      const { issuer, kubernetes } = eks.cluster(clusterArn(finops));
      const url = issuer.replace('https://', '');
      const role = iam.createRole({
        accountId: finops.accountId,
        name: 'kubecost-by-hand',
        trust: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Principal: { Federated: `arn:aws:iam::${finops.accountId}:oidc-provider/${url}` },
              Action: 'sts:AssumeRoleWithWebIdentity',
              Condition: {
                StringEquals: { [`${url}:sub`]: 'system:serviceaccount:kubecost:kubecost-cost-analyser' },
              },
            },
          ],
        },
        settled: true,
      });
      kubernetes.apply({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: {
          name: 'kubecost',
          namespace: 'kubecost',
          annotations: { 'eks.amazonaws.com/role-arn': role.arn },
        },
      });
    },
  },
  {
    what: 'a payer role without sts:TagSession',
    example: 'new-pod-identity',
    code: 'tag-session-missing',
    step: 'payer-role',
    plant: () => {
      runHarness.stepHarness.world.iam.createRole({
        accountId: '111122220002',
        name: payerRoleName,
        trust: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Principal: { AWS: `arn:aws:iam::${platform.accountId}:root` },
              Action: 'sts:AssumeRole',
            },
          ],
        },
        settled: true,
      });
    },
  },
  {
    what: 'a file that Kubecost cannot parse',
    example: 'new-irsa',
    code: 'secret-unparsable',
    step: 'chain-proof',
    plant: () => {
      putFile(runHarness, finops, '{"aws":[{"athenaBucketName":"s3://other",}]}');
    },
  },
  {
    what: 'a payer that is integrated under another key',
    example: 'new-irsa',
    code: 'payer-already-integrated',
    step: 'chain-proof',
    plant: () => {
      const entry = {
        athenaBucketName: 's3://by-hand',
        athenaRegion: 'us-east-1',
        athenaDatabase: 'athenacurcfn_by_hand',
        athenaTable: 'by_hand',
        athenaWorkgroup: 'primary',
        projectID: '111122220001',
        masterPayerARN: 'arn:aws:iam::111122220001:role/by-hand',
      };
      putFile(runHarness, finops, JSON.stringify({ aws: [entry] }));
    },
  },
  {
    what: 'a secret that Helm owns',
    example: 'new-irsa',
    code: 'secret-owned-elsewhere',
    step: 'chain-proof',
    plant: () => {
      putFile(runHarness, finops, '{"aws":[]}', { 'app.kubernetes.io/managed-by': 'Helm' });
    },
  },
];

describe('a run that cannot succeed', () => {
  it.each(failureCases)('fails within ten minutes because of $what', async ({ example, code, step, plant }) => {
    plant();
    const file = () => clusters.map((cluster) => readSecret(runHarness.stepHarness.world, cluster));
    const others = () =>
      ['111122220003', '111122220004'].map((account) =>
        runHarness.stepHarness.world.iam.roles(account).map(({ arn, trust, inline, tags }) => ({
          arn,
          trust: trust.current?.text,
          inline: [...inline.keys()],
          tags: [...tags],
        })),
      );
    const before = [file(), others()];
    const run = await runHarness.onboard(example);
    expect(run.status).toBe('failed');
    expect(run.error).toMatchObject({ code, step });
    expect(stepOf(run, step)).toMatchObject({ status: 'failed', error: { code } });
    expect(stepOf(run, 'first-delivery').status).not.toBe('succeeded');
    expect(minutesOf(run)).toBeLessThan(10);
    expect([file(), others()]).toEqual(before);
    expect((await runHarness.stepHarness.items('lock#')).length).toBe(0);
  });
});

describe('a run whose execution is stopped from outside', () => {
  it('fails and releases its lock for the next run', async () => {
    const started = await runHarness.api.start(exampleRequest('new-irsa'));
    const operator = newClient(SFNClient, hubRegion, () =>
      Promise.resolve({ accessKeyId: hubAccountId, secretAccessKey: 'x' }),
    );
    const executionArn = `${runHarness.stepHarness.sandbox.stateMachineArn.replace(':stateMachine:', ':execution:')}:${started.runId}-1`;
    void runHarness.later(120, () => operator.send(new StopExecutionCommand({ executionArn })));
    const run = await runHarness.api.untilEnded(started.runId);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'execution-stopped' } });
    expect(minutesOf(run)).toBeLessThan(125);
    expect(await runHarness.stepHarness.items('lock#')).toEqual([]);

    const next = await runHarness.onboard('new-irsa');
    expect(next.error).toBeNull();
    expect(next.status).toBe('succeeded');
  });
});

describe('a run whose report AWS cannot deliver', () => {
  it('fails within about an hour of AWS’s first attempt', async () => {
    void runHarness.later(60, () => {
      delete runHarness.stepHarness.world.s3.buckets.get(curBucket)?.policy;
      return Promise.resolve();
    });
    const run = await runHarness.onboard('new-irsa');
    expect(run).toMatchObject({ status: 'failed', error: { code: 'delivery-failed', step: 'first-delivery' } });
    expect(run.error?.message).toContain('ERROR_PERMISSIONS');
    expect(minutesOf(run) / 60, 'AWS first tries after 7.5 hours').toBeLessThan(8.75);
  });

  it('fails, and the next run repairs the bucket', async () => {
    void runHarness.later(60, () => {
      delete runHarness.stepHarness.world.s3.buckets.get(curBucket)?.policy;
      return Promise.resolve();
    });
    await runHarness.onboard('new-irsa');
    const run = await runHarness.onboard('new-irsa');
    expect(run.error).toBeNull();
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'cur-bucket').changes.map((change) => change.do)).toEqual(['put-bucket-policy']);
  });
});
