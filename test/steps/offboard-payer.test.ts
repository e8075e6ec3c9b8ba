import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  athenaResultsBucketName,
  crawlerStackName,
  curBucketName,
  dataPolicyName,
  payerRoleName,
  podRoleName,
} from '../../shared/aws/names.ts';
import { decodePolicy, policyOf } from '../../shared/aws/policy-document.ts';
import { roleArnOf } from '../../shared/aws/role.ts';
import { outputOf, type RunRecord } from '../../shared/model/run.ts';
import { newRunId } from '../../shared/model/run-id.ts';
import {
  OffboardingRequest,
  type OffboardingRequestInput,
  type OnboardingRequestInput,
} from '../../shared/model/run-requests.ts';
import type { OffboardingStepName } from '../../shared/model/step-names.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import { createRun, readRun } from '../../shared/runs/run-table.ts';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { documentClient } from '../../shared/table/document-table.ts';
import { deletePayerTarget, listPayerTargets, markPayerTargetRemoving } from '../../shared/targets/targets-of-payer.ts';
import { crashAfterWrite, type FaultRule, shownTrust } from '../sandbox/index.ts';
import { deployNative, nativeStackName } from '../support/crawler-stacks.ts';
import { tableName } from '../support/deployed-sandbox.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
import { exampleRequest } from '../support/scenario.ts';
import { type OneRun, writesOf } from '../support/step-harness.ts';
import { endStep } from '../support/stored-runs.ts';
import { invokeStep, takeStep } from '../support/take-step.ts';

let billing: PayerHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(Math, 'random').mockReturnValue(0);
  billing = await PayerHarness.open();
});
afterEach(() => billing.endRuns());

afterAll(async () => {
  await billing.stepHarness.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
const { cluster } = exampleRequest('new-irsa');
const serviceAccount = 'kubecost-serviceaccount';
const podRoleArn = roleArnOf(cluster.accountId, podRoleName(clusterArnOf({ cluster }), 'kubecost', serviceAccount));
const elsewhere = {
  clusterArn: 'arn:aws:eks:eu-west-1:555566667777:cluster/other',
  namespace: 'kubecost',
  secretName: 'cloud-integration',
};
const otherPod = roleArnOf('555566667777', 'kubecost-other');
const all = ['report', 'data'] as const;
const ownDatabase = 'kubecostcur_kubecost_cur';
const billingSteps = [
  'report-choice',
  'cur-bucket',
  'cur-report',
  'first-delivery',
  'crawler-stack',
  'crawler-table',
  'athena-results',
] as const;

type Removed = 'remove-payer-role' | 'remove-crawler-stack' | 'remove-athena-results' | 'remove-report';
const steps: Removed[] = ['remove-payer-role', 'remove-crawler-stack', 'remove-athena-results', 'remove-report'];

/** Takes the onboarding steps that work in the payer account. */
async function onboard(payer: string, changes: Partial<OnboardingRequestInput> = {}): Promise<void> {
  billing.world.cur.firstDeliveryHours.set(payer, 0.25);
  const run = await billing.begin(payer, { wait: { intervalMinutes: 15 }, ...changes });
  for (const name of billingSteps) await run.take(name);
  await trustPodRole(run, podRoleArn);
  await run.take('payer-policy');
}

/** Onboards the payer to another target: its role then trusts that target's pods too. */
async function onboardElsewhere(payer: string): Promise<void> {
  const other = { accountId: '555566667777', region: 'eu-west-1', name: 'other' };
  await trustPodRole(await billing.begin(payer, { cluster: other }), otherPod);
}

async function trustPodRole(run: OneRun, roleArn: string): Promise<void> {
  const oidcProviderArn = 'arn:aws:iam::222233334444:oidc-provider/any';
  await endStep(run.runId, 'pod-role', { podRoleArn: roleArn, serviceAccount, oidcProviderArn });
  await run.take('payer-role');
}

class Offboarding {
  readonly #runId: string;
  private constructor(runId: string) {
    this.#runId = runId;
  }

  /** A run whose inventory is done. */
  static async begin(
    payerAccountId: string,
    request: Partial<OffboardingRequestInput> = {},
    found: Partial<Outputs['inventory']> = {},
  ): Promise<Offboarding> {
    const at = billing.world.clock.now();
    const runId = newRunId(at);
    await createRun({
      runId,
      kind: 'offboarding',
      attempt: 1,
      status: 'running',
      createdAt: new Date(at).toISOString(),
      request: OffboardingRequest.parse({ payerAccountId, cluster, ...request }),
    });
    await endStep(runId, 'inventory', {
      onboardedBy: null,
      cluster: null,
      identityMode: 'irsa',
      serviceAccount,
      publishedKey: null,
      report: { reportName: 'kubecost_cur', bucket: curBucketName(payerAccountId, region), prefix: 'kubecost', region },
      athenaWorkgroup: 'primary',
      athenaResultsBucket: null,
      ...found,
    });
    return new Offboarding(runId);
  }

  invoke(name: OffboardingStepName): Promise<StepAnswer> {
    return invokeStep(billing.stepHarness.sandbox, this.#runId, name);
  }

  /** Takes one step to its end. @throws what its last invocation threw */
  async take(name: OffboardingStepName, afterInvocation: () => void = () => undefined): Promise<void> {
    const { thrown } = await takeStep(billing.stepHarness.sandbox, this.#runId, name, { afterInvocation });
    if (thrown) throw thrown;
  }

  async takeAll(): Promise<this> {
    for (const name of steps) await this.take(name);
    return this;
  }

  async read(): Promise<RunRecord<'offboarding'>> {
    const run = await readRun(this.#runId);
    if (run?.kind !== 'offboarding') throw new Error('the run is gone');
    return run;
  }

  async output(name: Removed): Promise<Outputs[Removed]> {
    return outputOf(await this.read(), name);
  }

  /** The reasons for every kept resource, of all steps. */
  async reasons(): Promise<string[]> {
    const run = await this.read();
    return steps.flatMap((name) => outputOf(run, name).kept.map(({ why }) => why));
  }
}

/** The state of a payer account, to compare. */
function accountOf(payer: string) {
  const { world } = billing;
  return {
    roles: world.iam.roles(payer).map(({ name, trust, tags, inline }) => ({
      name,
      trust: trust.current && shownTrust(trust.current, world.iam),
      tags: [...tags].sort(),
      inline: [...inline].flatMap(([policy, { current }]) => (current ? [[policy, current.text]] : [])).sort(),
    })),
    buckets: [...world.s3.buckets.values()]
      .filter(({ accountId }) => accountId === payer)
      .map(({ name, policy, tags, notification, objects }) => {
        return { name, policy: policy?.text, tags, notification, keys: [...objects.keys()] };
      }),
    reports: world.cur.ofAccount(payer).map(({ definition }) => definition.ReportName),
    stacks: [...world.cloudformation.stacks.values()].flatMap(({ accountId, name, status }) =>
      accountId === payer && status !== 'DELETE_COMPLETE' ? [name] : [],
    ),
    databases: [...world.glue.catalog(payer, region).databases.keys()],
    crawlers: [...world.glue.catalog(payer, region).crawlers.keys()],
    functions: [...world.cloudformation.functions.values()].flatMap(({ accountId, arn }) =>
      accountId === payer ? [arn] : [],
    ),
    workgroups: [...world.athena.workgroups(payer, region).values()].map(({ name, configuration }) => {
      return { name, location: configuration.ResultConfiguration?.OutputLocation };
    }),
  };
}

const crawlerOf = (payer: string) =>
  billing.world.glue.catalog(payer, region).crawlers.get('AWSCURCrawler-kubecost_cur');
const bucketOf = (name: string) => {
  const bucket = billing.world.s3.buckets.get(name);
  if (!bucket) throw new Error(`no bucket ${name}`);
  return bucket;
};
const roleOf = (payer: string) => billing.world.iam.role(payer, payerRoleName);

function trustOf(payer: string): string {
  const trust = roleOf(payer)?.trust.current;
  return trust ? shownTrust(trust, billing.world.iam) : '';
}

describe('offboarding the last target of a payer', () => {
  it('restores the account if purge names everything', async () => {
    const payer = billing.newPayer();
    const before = accountOf(payer);
    await onboard(payer);
    const run = await (await Offboarding.begin(payer, { purge: [...all] })).takeAll();
    expect(accountOf(payer)).toEqual(before);
    expect(await run.reasons()).toEqual([]);
    expect((await run.output('remove-report')).removed).toEqual([
      `arn:aws:cur:us-east-1:${payer}:definition/kubecost_cur`,
      `arn:aws:s3:::${curBucketName(payer, region)}/kubecost/kubecost_cur/*`,
      `arn:aws:s3:::${curBucketName(payer, region)}/aws-programmatic-access-test-object`,
      `arn:aws:s3:::${curBucketName(payer, region)}`,
    ]);
    expect((await run.output('remove-payer-role')).removed).toEqual([roleArnOf(payer, payerRoleName)]);
    expect(await listPayerTargets(payer)).toEqual([]);

    const calls = billing.world.calls.length;
    await (await Offboarding.begin(payer, { purge: [...all] })).takeAll();
    expect(writesOf(billing.world.calls.slice(calls))).toEqual([]);
    expect(await listPayerTargets(payer)).toEqual([]);

    const again = await billing.begin(payer);
    const { record } = await again.take('report-choice');
    expect(record.output).toMatchObject({ choice: 'create', reportName: 'kubecost_cur_2' });
    expect(record.warnings).toEqual([expect.stringContaining('kubecost_cur was deleted')]);
    const named = await billing.begin(payer, { report: { mode: 'create', name: 'kubecost_cur' } });
    expect((await knownErrorOf(named.take('report-choice'))).code).toBe('report-name-purged');
  });

  it('keeps report, data and bucket with a reason unless purge names them', async () => {
    const payer = billing.newPayer();
    await onboard(payer, { crawler: 'none', athena: { workgroup: 'kubecost' } });
    const bucket = curBucketName(payer, region);
    const { policy, keys } = accountOf(payer).buckets.find(({ name }) => name === bucket) ?? {};
    const run = await (await Offboarding.begin(payer, {}, { athenaWorkgroup: 'kubecost' })).takeAll();
    const left = accountOf(payer);
    expect(left).toMatchObject({ reports: ['kubecost_cur'], stacks: [], databases: [], crawlers: [] });
    expect(left.roles.map(({ name }) => name)).toEqual(['kubecost-payer-provisioner']);
    expect(left.workgroups).toEqual([{ name: 'primary', location: undefined }]);
    expect(left.buckets).toMatchObject([{ name: bucket, policy, keys }]);
    expect(await run.reasons()).toEqual([
      expect.stringContaining('unless purge names report'),
      expect.stringContaining('unless purge names data'),
      'the report delivers to it',
    ]);
  });

  it('prevents a new report from using a deleted report’s name', async () => {
    const payer = billing.newPayer();
    await onboard(payer, { crawler: 'none' });
    const bucket = bucketOf(curBucketName(payer, region));
    await (await Offboarding.begin(payer, { purge: ['report'] })).takeAll();
    expect(billing.world.cur.ofAccount(payer)).toEqual([]);
    expect(bucket.policy?.text).not.toContain('billingreports');
    expect(bucket.policy?.text).toContain('KubecostDenyInsecureTransport');
    expect(bucket.objects.size).toBeGreaterThan(2);

    const Key = { pk: `payer#${payer}`, sk: 'purged-report#kubecost_cur' };
    await documentClient().send(new DeleteCommand({ TableName: tableName, Key }));
    const { record } = await (await billing.begin(payer)).take('report-choice');
    expect(record.output).toMatchObject({ reportName: 'kubecost_cur_2' });
  });

  it('restores notifications that the stack’s deletion erases, even after a crash', async () => {
    const payer = billing.newPayer();
    await onboard(payer);
    const bucket = bucketOf(curBucketName(payer, region));
    const queue = { Id: 'audit', QueueArn: 'arn:aws:sqs:us-east-1:1:audit', Events: ['s3:ObjectRemoved:*' as const] };
    bucket.notification = { ...bucket.notification, QueueConfigurations: [queue], EventBridgeConfiguration: {} };
    const run = await Offboarding.begin(payer);
    await run.take('remove-payer-role');
    // The delivery started the crawler: wait until its first crawl has ended.
    while (crawlerOf(payer)?.state !== 'READY') await billing.world.clock.sleep(60_000);
    const restart = crashAfterWrite(billing.world, 1);
    await run.invoke('remove-crawler-stack').catch(() => undefined);
    restart();
    await billing.world.clock.sleep(600_000);
    expect(bucket.notification).toEqual({});
    await run.take('remove-crawler-stack');
    expect(bucket.notification).toEqual({ QueueConfigurations: [queue], EventBridgeConfiguration: {} });
    expect(billing.world.cloudformation.find(payer, region, crawlerStackName('kubecost_cur'))).toBeUndefined();
  });

  it('reaches the same result if every write crashes or loses its answer', async () => {
    const payer = billing.newPayer();
    const before = accountOf(payer);
    await onboard(payer);
    const run = await Offboarding.begin(payer, { purge: [...all] });
    for (const name of steps) {
      let restart = crashAfterWrite(billing.world, 1);
      await run.take(name, () => {
        restart();
        restart = crashAfterWrite(billing.world, 1);
      });
      restart();
    }
    expect(accountOf(payer)).toEqual(before);

    const lossy = billing.newPayer();
    const untouched = accountOf(lossy);
    await onboard(lossy);
    const other = await Offboarding.begin(lossy, { purge: [...all] });
    billing.world.faults.push(
      ...Array.from({ length: 20 }, (_, index): FaultRule => {
        return { kind: 'applied-but-lost', writes: true, nth: 2 * index + 1 };
      }),
    );
    await other.takeAll().finally(() => billing.world.faults.splice(0));
    expect(accountOf(lossy)).toEqual(untouched);
  });

  it('plans in a dry run what the real run does', async () => {
    const payer = billing.newPayer();
    await onboard(payer);
    const before = accountOf(payer);
    const targets = await listPayerTargets(payer);
    const dry = await Offboarding.begin(payer, { purge: [...all], dryRun: true });
    const calls = billing.world.calls.length;
    await dry.takeAll();
    expect(writesOf(billing.world.calls.slice(calls))).toEqual([]);
    expect([accountOf(payer), await listPayerTargets(payer)]).toEqual([before, targets]);
    const real = await (await Offboarding.begin(payer, { purge: [...all] })).takeAll();
    for (const name of steps) expect(await dry.output(name), name).toEqual(await real.output(name));
  });

  it('empties a versioned bucket with more objects than one invocation deletes', async () => {
    const payer = billing.newPayer();
    await onboard(payer, { crawler: 'none' });
    const name = athenaResultsBucketName(payer, region);
    const bucket = bucketOf(name);
    bucket.versioned = true;
    for (let n = 0; n < 10_050; n++) billing.world.s3.put(name, `results/${n % 10_000}.csv`, '');
    billing.world.s3.erase(bucket, 'results/1.csv');
    const run = await Offboarding.begin(payer);
    await run.take('remove-payer-role');
    let invocations = 0;
    await run.take('remove-athena-results', () => invocations++);
    expect(billing.world.s3.buckets.has(name)).toBe(false);
    expect(invocations).toBe(2);
  });
});

describe('offboarding one of several targets', () => {
  it('removes its pod role, and the last target removes the rest', async () => {
    const payer = billing.newPayer();
    const before = accountOf(payer);
    await onboard(payer);
    await onboardElsewhere(payer);
    const run = await (await Offboarding.begin(payer, { purge: [...all] })).takeAll();
    expect(new Set(await run.reasons())).toEqual(
      new Set([expect.stringContaining(`another target still needs it: ${elsewhere.clusterArn}`)]),
    );
    expect(accountOf(payer)).toMatchObject({ reports: ['kubecost_cur'], databases: ['athenacurcfn_kubecost_cur'] });
    expect(trustOf(payer)).toContain(otherPod);
    expect(trustOf(payer)).not.toContain(podRoleArn);

    const other = { accountId: '555566667777', region: 'eu-west-1', name: 'other' };
    await (await Offboarding.begin(payer, { cluster: other, purge: [...all] })).takeAll();
    expect(accountOf(payer)).toEqual(before);
    expect(await listPayerTargets(payer)).toEqual([]);
  });
});

describe('offboarding a payer whose resources others use', () => {
  it('keeps everything while the payer role trusts another pod role', async () => {
    const payer = billing.newPayer();
    await onboard(payer);
    await onboardElsewhere(payer);
    await markPayerTargetRemoving(payer, elsewhere, otherPod);
    await deletePayerTarget(payer, elsewhere);
    const run = await (await Offboarding.begin(payer)).takeAll();
    expect(trustOf(payer)).toContain(otherPod);
    expect(trustOf(payer)).not.toContain(podRoleArn);
    expect(accountOf(payer).stacks).toEqual([crawlerStackName('kubecost_cur')]);
    expect(await run.reasons()).toContain(`the payer role’s trust policy still names ${otherPod}`);
  });

  it.each<[OffboardingRequestInput['purge'] & object, string]>([
    [[], 'restores a hand-made payer role'],
    [['payer-role'], 'deletes a hand-made payer role'],
  ])('with purge %j %s', async (purge) => {
    const payer = billing.newPayer();
    const statement = (Sid: string) => ({ Sid, Effect: 'Allow' as const, Action: 's3:ListBucket', Resource: '*' });
    billing.world.iam.createRole({
      accountId: payer,
      name: payerRoleName,
      trust: policyOf({ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }),
      inline: { [dataPolicyName]: policyOf(statement('Theirs')) },
      settled: true,
    });
    const before = accountOf(payer).roles;
    await onboard(payer, { crawler: 'none', existing: 'take-over' });
    const run = await (await Offboarding.begin(payer, { purge })).takeAll();
    if (purge.length > 0) {
      expect(roleOf(payer)).toBeUndefined();
      return;
    }
    const meaning = (roles: typeof before) =>
      roles.map((role) => ({ ...role, inline: role.inline.map(([name, text]) => [name, decodePolicy(text ?? '{}')]) }));
    expect(meaning(accountOf(payer).roles)).toEqual(meaning(before));
    expect(await run.reasons()).toContain('adopted: kept unless purge names payer-role');
  });

  it('keeps a taken-over bucket and removes our policy and tags', async () => {
    const payer = billing.newPayer();
    const bucket = billing.world.s3.createBucket(payer, region, curBucketName(payer, region));
    bucket.tags = [{ Key: 'team', Value: 'finance' }];
    billing.world.s3.put(bucket.name, 'theirs.txt', 'kept');
    const before = accountOf(payer);
    await onboard(payer, { crawler: 'none', existing: 'take-over' });
    const run = await (await Offboarding.begin(payer, { purge: [...all] })).takeAll();
    const { buckets, ...rest } = accountOf(payer);
    const keys = ['theirs.txt', 'aws-programmatic-access-test-object'];
    expect({ ...rest, buckets }).toEqual({ ...before, buckets: before.buckets.map((one) => ({ ...one, keys })) });
    expect(await run.reasons()).toEqual(['adopted: only the report’s data in it is ever deleted']);
  });

  it('keeps a stack with foreign tables unless purge names it', async () => {
    const payer = billing.newPayer();
    await onboard(payer);
    const database = billing.world.glue.catalog(payer, region).databases.get('athenacurcfn_kubecost_cur');
    database?.tables.set('monthly', { input: { Name: 'monthly' }, createdAt: 0, updatedAt: 0, partitions: new Map() });
    const run = await (await Offboarding.begin(payer)).takeAll();
    expect(accountOf(payer).stacks).toHaveLength(1);
    expect(await run.reasons()).toContain('its database holds monthly, which does not belong to the report');
    await (await Offboarding.begin(payer, { purge: ['crawler-stack'] })).takeAll();
    expect(accountOf(payer).stacks).toEqual([]);
  });

  it('keeps the stack if the access template grants no removal', async () => {
    const payer = billing.newPayer({ Crawler: 'none' });
    await deployNative(billing.world, payer);
    const run = await Offboarding.begin(payer);
    await run.take('remove-payer-role');
    const { code, message } = await knownErrorOf(run.take('remove-crawler-stack'));
    expect([code, message]).toEqual([
      'access-parameter-differs',
      expect.stringContaining('set parameter Crawler of its access template to remove'),
    ]);
    expect(accountOf(payer).stacks).toEqual([nativeStackName]);
  });

  it('removes a native stack of release 0.3.0 with Crawler: remove', async () => {
    const payer = billing.newPayer({ Crawler: 'remove' });
    const before = accountOf(payer);
    await deployNative(billing.world, payer);
    const run = await (await Offboarding.begin(payer)).takeAll();
    expect(accountOf(payer)).toEqual(before);
    expect((await run.output('remove-crawler-stack')).removed).toEqual([
      expect.stringContaining(`stack/${nativeStackName}/`),
    ]);
  });

  it('keeps our own table while another target needs it', async () => {
    const payer = billing.newPayer();
    await onboard(payer, { crawler: 'none' });
    await onboardElsewhere(payer);
    const run = await (await Offboarding.begin(payer)).takeAll();
    expect(accountOf(payer).databases).toEqual([ownDatabase]);
    expect((await run.output('remove-crawler-stack')).kept).toEqual([
      {
        resource: expect.stringContaining(`database/${ownDatabase}`) as string,
        why: expect.stringContaining('another target') as string,
      },
    ]);
  });

  it('keeps our own database with a table of others', async () => {
    const payer = billing.newPayer();
    await onboard(payer, { crawler: 'none' });
    const database = billing.world.glue.catalog(payer, region).databases.get(ownDatabase);
    database?.tables.set('monthly', { input: { Name: 'monthly' }, createdAt: 0, updatedAt: 0, partitions: new Map() });
    const run = await (await Offboarding.begin(payer)).takeAll();
    expect([...(database?.tables.keys() ?? [])]).toEqual(['monthly']);
    expect((await run.output('remove-crawler-stack')).kept).toEqual([
      { resource: expect.stringContaining(ownDatabase) as string, why: 'it holds monthly, which is not ours' },
    ]);
  });

  it('keeps a bucket and its policy while another report uses it', async () => {
    const payer = billing.newPayer();
    await onboard(payer, { crawler: 'none' });
    const bucket = bucketOf(curBucketName(payer, region));
    const definition = { ReportName: 'finance', S3Bucket: bucket.name, S3Prefix: 'finance', S3Region: region };
    billing.world.cur.seedReport({ accountId: payer, definition, deliveredSince: Date.parse('2026-11-01T00:00:00Z') });
    const policy = bucket.policy?.text;
    const run = await (await Offboarding.begin(payer, { purge: [...all] })).takeAll();
    expect(accountOf(payer).reports).toEqual(['finance']);
    expect(bucket.policy?.text).toBe(policy);
    expect([...bucket.objects.keys()].filter((key) => key.startsWith('kubecost/'))).toEqual([]);
    expect(billing.world.s3.keys(bucket.name, 'finance/').length).toBeGreaterThan(2);
    expect(await run.reasons()).toEqual(['other reports deliver to it: finance']);
  });

  it('changes nothing that belongs to another deployment', async () => {
    const payer = billing.newPayer();
    await onboard(payer);
    const retagged = [
      { Key: 'managed-by', Value: 'kubecost-payer-onboarding' },
      { Key: 'deployment-id', Value: 'b' },
    ];
    roleOf(payer)?.tags.set('deployment-id', 'b');
    for (const name of [curBucketName(payer, region), athenaResultsBucketName(payer, region)])
      bucketOf(name).tags = retagged;
    const stack = billing.world.cloudformation.find(payer, region, crawlerStackName('kubecost_cur'));
    if (stack) stack.tags = retagged;
    const before = accountOf(payer);
    const purge = ['report', 'data', 'crawler-stack', 'results-bucket', 'payer-role'] as const;
    const run = await (await Offboarding.begin(payer, { purge: [...purge] })).takeAll();
    expect(accountOf(payer)).toEqual(before);
    expect(new Set(await run.reasons())).toEqual(new Set(['it belongs to another deployment']));
  });
});

it('an offboarding reports a failed stack deletion and later repeats it', async () => {
  const payer = billing.newPayer();
  await onboard(payer);
  const bucket = bucketOf(curBucketName(payer, region));
  billing.world.s3.buckets.delete(bucket.name);
  const run = await Offboarding.begin(payer);
  await run.take('remove-payer-role');
  const { code, message } = await knownErrorOf(run.take('remove-crawler-stack'));
  expect([code, message]).toEqual(['crawler-stack-not-removed', expect.stringContaining('bucket does not exist')]);
  billing.world.s3.buckets.set(bucket.name, bucket);
  await (await Offboarding.begin(payer)).takeAll();
  expect(accountOf(payer).stacks).toEqual([]);
});
