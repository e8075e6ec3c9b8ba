import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import type { KubernetesAnswer } from '../sandbox/index.ts';
import { AccessHarness } from '../support/access-harness.ts';
import { endStep } from '../support/stored-runs.ts';
import type { StepOutcome } from '../support/take-step.ts';

let access: AccessHarness;
let published: string;
/** The consumer's responses and log, which each test sets; requested paths are recorded. */
let answer: () => KubernetesAnswer;
let log: string;
let asked: string[];

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  access = await AccessHarness.start();
  access.cluster.kubernetes.installKubecost({ generation: '3.x' });
  published = await access.newRun();
  const taken = await access.takeAll(published);
  expect(taken.publish?.error).toBeUndefined();
  const { workloads } = access.cluster.kubernetes;
  workloads.onProxy = (_service, _port, path) => {
    asked.push(path);
    return answer();
  };
  workloads.onLog = () => log;
});
afterAll(async () => {
  await access.close();
  vi.restoreAllMocks();
});
beforeEach(() => {
  asked = [];
  log = '';
  answer = () => reported('Connection Successful');
});

const key = '111122223333/s3://kubecost-athena-results-111122223333-us-east-1';
const window = '[2026-11-03T00:00:00+0000, 2026-11-10T00:00:00+0000)';
const created = `INF CloudCost: IngestionManager: creating integration with key: ${key}`;
const built = `INF CloudCost[${key}]: ingestor: build[NLzAH]:  ${window} in 18.377s`;
const failed = (text: string) => `ERR CloudCost[${key}]: ingestor: build failed for window ${window}: ${text}`;

function reported(connectionStatus: string, ...others: object[]): KubernetesAnswer {
  const own = {
    key,
    source: 'multicloud',
    valid: true,
    active: true,
    coverage: '[2026-10-01T00:00:00+0000, 2026-11-10T00:00:00+0000)',
    connectionStatus,
  };
  return { status: 200, body: JSON.stringify({ code: 200, data: [...others, own] }) };
}

/** The outputs of the billing branch. */
const billing = {
  'cur-report': {
    reportKind: 'legacy-cur',
    reportName: 'kubecost_cur',
    reportArn: 'a',
    bucket: 'b',
    prefix: 'p',
    region: 'eu-west-1',
    adopted: true,
    dataSince: null,
  },
  'smoke-query': {
    level: 'pod-chain',
    columns: 2,
    rows: [],
    rowCount: 4,
    day: '2026-11-09',
    scannedBytes: 1,
    queryExecutionIds: [],
  },
} satisfies { [Name in StepName]?: Outputs[Name] };

type Outcomes = { [Name in StepName]?: object };

/** A run with the outputs of the published run, with some of them changed. */
async function runFrom(different: Outcomes = {}, request: Partial<OnboardingRequestInput> = {}): Promise<string> {
  const runId = await access.newRun(request);
  const steps = (await readRun(published))?.steps ?? {};
  for (const [name, { output }] of Object.entries(steps)) {
    const merged = { ...output, ...billing[name as keyof typeof billing], ...different[name as StepName] };
    if (Object.keys(merged).length > 0) await endStep(runId, name as StepName, merged);
  }
  return runId;
}

async function prove(different?: Outcomes): Promise<StepOutcome & { output: Partial<Outputs['load-proof']> }> {
  const taken = await access.take(await runFrom(different), 'load-proof');
  return { ...taken, output: taken.record.output ?? {} };
}

describe('the load proof', () => {
  it('ends with the reported status and the first day of data', async () => {
    const { output, record } = await prove();
    expect(output).toEqual({
      verdict: 'proven',
      connectionStatus: 'Connection Successful',
      source: 'status',
      pendingFor: null,
      dataSince: '2026-10-01',
      chain: 'pod-chain',
    });
    expect(record.warnings).toEqual([]);
  });

  it('reads only the status and writes nothing', async () => {
    const before = access.writes().length;
    await prove();
    expect(new Set(asked)).toEqual(new Set(['/cloudCost/status']));
    expect(access.writes().slice(before)).toEqual([]);
  });

  it('waits for the first query', async () => {
    let reads = 0;
    answer = () => reported(reads++ < 3 ? 'No Connection' : 'Connection Successful');
    const { output, seconds } = await prove();
    expect(output.verdict).toBe('proven');
    expect(seconds).toBe(45);
  });

  it('accepts failures until the credentials are effective', async () => {
    let reads = 0;
    answer = () => reported(reads++ < 10 ? 'Failed Connection' : 'Connection Successful');
    expect((await prove()).output.verdict).toBe('proven');
  });

  it('names the cause from the log after five minutes of failures', async () => {
    answer = () => reported('Failed Connection');
    log = [created, failed('Unable to verify/create output bucket')].join('\n');
    const { error, seconds } = await prove();
    expect(error).toMatchObject({ code: 'connection-failed', actor: 'payer account owner' });
    expect(error?.message).toContain('Unable to verify/create output bucket (the results bucket does not exist');
    expect(seconds).toBeGreaterThanOrEqual(300);
  });

  it('does not wait for an error that only a change resolves', async () => {
    answer = () => reported('Failed Connection');
    log = [created, failed('InvalidRequestException: WorkGroup is not found.')].join('\n');
    const { error, seconds } = await prove();
    expect(error?.code).toBe('connection-failed');
    expect(seconds).toBeLessThan(60);
  });

  it('fails if the entry is not loaded after three minutes', async () => {
    answer = () => ({ status: 200, body: '{"code":200,"data":[]}' });
    const { error, seconds } = await prove();
    expect(error?.code).toBe('consumer-not-reading');
    expect(seconds).toBeGreaterThanOrEqual(180);
    expect(seconds).toBeLessThan(240);
  });

  it('names a rejected file as the cause', async () => {
    answer = () => ({ status: 200, body: '{"code":200,"data":[]}' });
    log =
      "ERR MultiCloudWatcher: Error getting file '/var/configs/cloud-integration.json': loadFile: Error reading json";
    expect((await prove()).error?.message).toContain('rejects the whole file');
  });

  it('names the Helm value that OpenCost lacks', async () => {
    answer = () => ({ status: 501, body: 'CloudCost Pipeline Service: Ingestion Manager is nil' });
    const { error } = await prove();
    expect(error?.code).toBe('cloud-cost-disabled');
    expect(error?.remedy).toContain('opencost.cloudCost.enabled=true');
  });

  it('ignores a query that failed before the permissions were proven', async () => {
    answer = () => reported('Failed Connection');
    const { output, error } = await prove();
    expect(error).toBeUndefined();
    expect(output).toMatchObject({ verdict: 'pending', connectionStatus: 'Failed Connection' });
    expect(output.pendingFor).toContain('within 6 hours');
  });

  it('ends with a warning while a new report has no rows yet', async () => {
    answer = () => reported('Data Missing');
    log = built;
    const { output, record, seconds } = await prove({ 'cur-report': { adopted: false } });
    expect(output).toMatchObject({ verdict: 'pending', connectionStatus: 'Data Missing' });
    expect(output.pendingFor).toContain('at most 48');
    expect(record.warnings).toEqual([expect.stringContaining('after 30 minutes')]);
    expect(seconds).toBeGreaterThanOrEqual(1800);
    expect(seconds).toBeLessThan(1900);
  });

  it('fails if we read rows and the consumer reads none', async () => {
    answer = () => reported('Data Missing');
    log = built;
    expect((await prove()).error?.code).toBe('connection-data-missing');
  });

  it('does not fail if nobody has read rows of an adopted report', async () => {
    answer = () => reported('Data Missing');
    expect((await prove({ 'smoke-query': { rowCount: 0 } })).output.verdict).toBe('pending');
  });

  it.each([
    ['blocked', 503],
    ['answered by a login page', 401],
    ['answered by a redirect', 302],
    ['answered by a gateway error', 502],
    ['without its service', 404],
  ])('reads the log if the proxy request is %s', async (_, status) => {
    answer = () => ({ status, body: 'no' });
    log = [created, built].join('\n');
    const { output, record } = await prove();
    expect(output).toMatchObject({ verdict: 'proven', source: 'log', connectionStatus: null, dataSince: '2026-11-03' });
    expect(record.warnings).toEqual([expect.stringContaining('how many rows')]);
  });

  it('reads the log if security groups block the service proxy', async () => {
    const { workloads } = access.cluster.kubernetes;
    workloads.blocked = true;
    log = [created, failed('STS: AssumeRole, api error AccessDenied')].join('\n');
    const { error } = await prove();
    workloads.blocked = false;
    expect(error?.code).toBe('payer-role-denied');
  });

  it('names the blocked responses if status and log cannot be read', async () => {
    answer = () => ({ status: 503, body: 'no' });
    const { kubernetes } = access.cluster;
    const role = kubernetes.get('Role', 'kubecost', 'kubecost-payer-onboarding') as unknown as {
      rules: { resources: string[] }[];
    };
    kubernetes.apply({
      ...role,
      rules: role.rules.filter(({ resources }) => !resources.includes('pods/log')),
    } as never);
    const { output } = await prove();
    kubernetes.apply(role as never);
    expect(output).toMatchObject({ verdict: 'pending', source: null });
    expect(output.pendingFor).toContain('HTTP 403');
  });

  it('ends at once if no installed workload reads the file', async () => {
    const { output, record, seconds } = await prove({
      discovery: { workload: null, container: null, podSelector: null },
    });
    expect(output.verdict).toBe('not-installed');
    expect(record.warnings).toEqual([expect.stringContaining('artifacts')]);
    expect(seconds).toBe(0);
  });

  it('never records data of other integrations', async () => {
    const other = { key: 'sub/container', connectionStatus: 'Failed Connection', config: { accessKey: 'foreign' } };
    answer = () => reported('Failed Connection', other);
    log = [failed('TABLE_NOT_FOUND').replaceAll(key, 'sub/container-foreign'), failed('TABLE_NOT_FOUND')].join('\n');
    const { record } = await prove();
    expect(record.error?.code).toBe('connection-failed');
    expect(JSON.stringify(record)).not.toMatch(/foreign|sub\/container/);
  });
});

describe('the file in the cluster', () => {
  it('must have the entry when the proof begins', async () => {
    const text = access.file() ?? '';
    access.putFile('{"aws":[]}');
    const { error } = await prove();
    access.putFile(text);
    expect(error).toMatchObject({ code: 'entry-lost', actor: 'cluster owner' });
  });

  it('must be valid for the consumer', async () => {
    const text = access.file() ?? '';
    access.putFile('{"aws":[],}');
    const { error } = await prove();
    access.putFile(text);
    expect(error?.code).toBe('secret-unparsable');
  });

  it('may wait for its owner to add the entry', async () => {
    const text = access.file() ?? '';
    access.putFile('{"aws":[]}');
    const { output } = await prove({ publish: { mode: 'artifacts' } });
    access.putFile(text);
    expect(output).toMatchObject({ verdict: 'pending', pendingFor: 'the secret’s owner to add the entry' });
  });
});

describe('the workload', () => {
  const deployment = () =>
    access.cluster.kubernetes.get('Deployment', 'kubecost', 'kubecost-cloud-cost') as unknown as {
      spec: { template: { metadata: { annotations?: object }; spec: { containers: { image: string }[] } } };
    };
  const change = (edit: (object: ReturnType<typeof deployment>) => void) => {
    const object = structuredClone(deployment());
    edit(object);
    access.cluster.kubernetes.apply(object as never);
  };

  it('may roll out for minutes', async () => {
    change(({ spec }) => (spec.template.metadata.annotations = { 'kubectl.kubernetes.io/restartedAt': 'now' }));
    const { output, seconds } = await prove();
    expect(output.verdict).toBe('proven');
    expect(seconds).toBeGreaterThan(15);
    expect(seconds).toBeLessThan(180);
  });

  it.each([
    ['crashes', 'crashingImages', 'consumer-crashes', /container cloud-cost: CrashLoopBackOff/],
    ['cannot be pulled', 'missingImages', 'rollout-failed', /ImagePull/],
  ] as const)('that %s ends the run with the pod’s message', async (_, images, code, text) => {
    const { kubelet } = access.cluster.kubernetes;
    const [image] = deployment().spec.template.spec.containers.map((container) => container.image);
    const set = (value = '') => {
      change(({ spec }) => {
        spec.template.spec.containers.forEach((container) => (container.image = value));
      });
    };
    kubelet[images].add('gcr.io/kubecost1/cost-model:broken');
    set('gcr.io/kubecost1/cost-model:broken');
    const { error } = await prove();
    kubelet[images].clear();
    set(image);
    expect(error).toMatchObject({ code, actor: 'cluster owner' });
    expect(error?.message).toMatch(text);
    expect((await prove()).output.verdict).toBe('proven');
  });

  it('with a short registry outage does not end the run', async () => {
    const { kubelet } = access.cluster.kubernetes;
    const { clock } = access.world;
    const [image = ''] = deployment().spec.template.spec.containers.map((container) => container.image);
    const restart = (at: string) => {
      change(({ spec }) => (spec.template.metadata.annotations = { 'kubectl.kubernetes.io/restartedAt': at }));
    };
    const runId = await runFrom();
    kubelet.missingImages.add(image);
    restart('when the registry is gone');
    await clock.sleep(30_000);
    expect(await access.invoke(runId, 'load-proof')).toMatchObject({ status: 'waiting' });
    expect((await readRun(runId))?.steps['load-proof']?.waiting?.for).toContain('ImagePull');
    kubelet.missingImages.clear();
    restart('when it is back');
    await clock.sleep(60_000);
    const { error, record } = await access.take(runId, 'load-proof');
    expect(error).toBeUndefined();
    expect(record.output).toMatchObject({ verdict: 'proven' });
  });

  it('without the role’s credentials ends the run', async () => {
    const podRoleArn = 'arn:aws:iam::222233334444:role/another';
    const { error } = await prove({ 'pod-role': { podRoleArn } });
    expect(error).toMatchObject({ code: 'pod-without-credentials' });
    expect(error?.message).toContain(podRoleArn);
  });
});
