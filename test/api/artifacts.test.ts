import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { Artifacts, artifactsOf } from '../../shared/artifacts/artifacts.ts';
import { parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import { type RunRecord, skips } from '../../shared/model/run.ts';
import { OnboardingRequest, type OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import { type StepName, stepNames } from '../../shared/model/step-names.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { commandLine } from '../../shared/text/shell-quoting.ts';
import { writeYaml } from '../../shared/text/yaml-text.ts';
import { call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { endStep, givenRun, smallest } from '../support/stored-runs.ts';

const provisionerArn = 'arn:aws:iam::222233334444:role/kubecost-payer-onboarding/kubecost-cluster-provisioner';
const issuer = 'oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE';
const bucket = 'kubecost-cur-111122223333-us-east-1';
const results = 'kubecost-athena-results-111122223333-us-east-1';

/** Values of other entries in the cluster's file, and of the step's own notes. */
const foreign = ['999988887777/s3://somebody-elses-results', 'azure-subscription/container', 'AKIAFOREIGNKEY'];

function discovered(fields: Partial<Outputs['discovery']> = {}): Outputs['discovery'] {
  return {
    installation: 'none',
    workload: null,
    container: null,
    image: null,
    mount: null,
    serviceAccount: 'kubecost-serviceaccount',
    podSelector: null,
    statusService: null,
    ...fields,
  };
}

/** Outputs of a completed run. */
function everything(discovery: Outputs['discovery']): Partial<Outputs> {
  const { serviceAccount } = discovery;
  const podRoleArn = `arn:aws:iam::222233334444:role/kubecost-${serviceAccount}-0a1b2c3d`;
  const report = { reportName: 'kubecost_cur', bucket, prefix: 'kubecost', region: 'us-east-1' };
  return {
    discovery,
    'cur-bucket': { bucket, region: 'us-east-1', adopted: false, kmsKeyArn: null },
    'cur-report': {
      reportKind: 'legacy-cur',
      ...report,
      reportArn: 'arn:aws:cur:us-east-1:111122223333:definition/kubecost_cur',
      adopted: false,
      dataSince: null,
    },
    'crawler-table': {
      athenaDatabase: 'athenacurcfn_kubecost_cur',
      athenaTable: 'kubecost_cur',
      newestPartition: { year: '2026', month: '3' },
      lastYear: null,
    },
    'athena-results': {
      athenaWorkgroup: 'primary',
      athenaResultsBucket: results,
      athenaResultsLocation: `s3://${results}`,
      athenaRegion: 'us-east-1',
      kmsKeyArn: null,
      keyArns: [],
      catalogKeyArn: null,
    },
    'pod-role': {
      podRoleArn,
      serviceAccount,
      oidcProviderArn: `arn:aws:iam::222233334444:oidc-provider/${issuer}`,
    },
    'pod-identity': { podRoleArn, serviceAccount, associationId: 'a-abcdefghijklmnop1' },
    'payer-role': { payerRoleArn: 'arn:aws:iam::111122223333:role/kubecost-cur-access' },
    publish: {
      secret: 'kubecost/cloud-integration',
      resourceVersion: '7',
      sha256: 'ab',
      key: `111122223333/s3://${results}`,
      entry: {},
      otherKeys: foreign.slice(0, 2),
      mode: 'secret',
    },
  };
}

function runWith(found: Partial<Outputs>, request: Partial<OnboardingRequestInput> = {}): RunRecord {
  const parsed = OnboardingRequest.parse({ ...smallest, ...request });
  const step = (output: Record<string, unknown>): StepRecord => ({
    status: 'succeeded',
    invocations: 1,
    changes: [],
    warnings: [],
    output,
    memo: { seen: foreign[2] },
  });
  const taken = stepNames.filter((name) => found[name] && !skips({ kind: 'onboarding', request: parsed }, name));
  return {
    runId: '01kjq3w5e8f2c9m4x7v1t6s0rz',
    kind: 'onboarding',
    attempt: 1,
    status: 'running',
    request: parsed,
    createdAt: '2026-03-02T09:00:00.000Z',
    steps: Object.fromEntries(taken.map((name) => [name, step(found[name] ?? {})])),
  };
}

const kubecost3 = discovered({
  installation: 'kubecost-3',
  workload: 'deployment/kubecost-cloud-cost',
  container: 'cloud-cost',
  mount: 'subPath',
  serviceAccount: 'kubecost',
  statusService: 'http:kubecost-cloud-cost:9005',
});
const kubecost2 = discovered({
  installation: 'kubecost-2',
  workload: 'deployment/kubecost-cost-analyzer',
  container: 'cloud-cost',
  mount: 'directory',
  serviceAccount: 'kubecost-cost-analyzer',
  statusService: 'http:kubecost-cloud-cost:9005',
});
const openCost = discovered({
  installation: 'opencost',
  workload: 'deployment/opencost',
  container: 'opencost',
  mount: 'directory',
  serviceAccount: 'opencost',
  statusService: 'http:opencost:9003',
});
const podIdentity = { identity: { mode: 'pod-identity' } } as const;
const inOpencost = { kubecost: { namespace: 'opencost', secretName: 'cloud-costs' } };

const runs = {
  'irsa-kubecost-3': runWith(everything(kubecost3)),
  'pod-identity-kubecost-2': runWith(everything(kubecost2), podIdentity),
  'irsa-opencost': runWith(everything(openCost), inOpencost),
  'irsa-nothing-installed': runWith(everything(discovered())),
  'pod-identity-nothing-installed': runWith(everything(discovered()), podIdentity),
  unfinished: runWith({ discovery: discovered() }),
};
const artifacts = Object.entries(runs).map(([name, run]) => ({ name, made: artifactsOf(run, provisionerArn) }));

type Made = (typeof artifacts)[number]['made'];

function made(name: keyof typeof runs): Made {
  return artifactsOf(runs[name], provisionerArn);
}

function chartOf({ helm }: Made, generation: string): Made['helm']['charts'][number] | undefined {
  return helm.charts.find((chart) => chart.generation === generation);
}

describe('artifacts', () => {
  it.each(artifacts)('equal the reviewed file: $name', async ({ name, made }) => {
    expect(Artifacts.parse(made)).toEqual(made);
    await expect(stringify(made, { lineWidth: 0, aliasDuplicateObjects: false })).toMatchFileSnapshot(
      `../golden/artifacts/${name}.yaml`,
    );
  });

  it('of a completed run are complete', () => {
    for (const { name, made } of artifacts.filter((one) => one.name !== 'unfinished')) {
      expect([name, made.missing]).toEqual([name, []]);
      expect(made.commands.filter(({ command }) => command === null)).toEqual([]);
      expect(made.iam.filter(({ document, attachedTo }) => document === null || attachedTo === null)).toEqual([]);
    }
  });

  it('contain the status path of Kubecost’s web server if necessary', () => {
    const behind = { ...kubecost2, statusService: 'http:kubecost-cost-analyzer:9090' };
    const { commands } = artifactsOf(runWith(everything(behind)), provisionerArn);
    expect(commands.at(-1)?.command).toBe('curl --silent http://localhost:9090/model/cloudCost/status');
  });

  it('create the role with the path in its ARN', () => {
    const found = everything(kubecost3);
    const adopted = {
      ...found,
      'pod-role': { ...found['pod-role'], podRoleArn: 'arn:aws:iam::222233334444:role/team/a/pod' },
    };
    const { commands } = artifactsOf(runWith(adopted as typeof found), provisionerArn);
    const create = commands.find(({ command }) => command?.includes('create-role'))?.command;
    expect(create).toContain('--role-name pod --path /team/a/ ');
  });

  it('of an unfinished run name the missing steps', () => {
    const early = made('unfinished');
    expect(early.entry).toBeNull();
    expect(early.missing).toEqual([
      'cur-bucket',
      'cur-report',
      'crawler-table',
      'athena-results',
      'pod-role',
      'payer-role',
    ]);
    expect(early.cluster.manifest).toContain('kind: RoleBinding');
    expect(artifactsOf(runWith({}), provisionerArn).missing).toContain('discovery');
    expect(artifactsOf(runWith({}, podIdentity), provisionerArn).missing).not.toContain('pod-role');
  });

  it('name a step as missing if its output is unreadable', () => {
    const run = runs['irsa-kubecost-3'];
    const steps = { ...run.steps, 'athena-results': { ...run.steps['athena-results'], output: { was: 'different' } } };
    const older = artifactsOf({ ...run, steps: steps as RunRecord['steps'] }, provisionerArn);
    expect(older.missing).toEqual(['athena-results']);
    expect(older.entry).toBeNull();
  });

  it('contain nothing of other payers, other clouds or a step’s notes', () => {
    const text = JSON.stringify(artifacts);
    for (const value of foreign) expect(text).not.toContain(value);
    expect(JSON.stringify(runs)).toContain(foreign[2]);
  });

  it('contain files with only this payer that the consumer accepts', () => {
    const { entry } = made('irsa-kubecost-3');
    for (const format of ['legacy', 'configurations'] as const) {
      const file = parseIntegrationFile(entry?.files[format] ?? '');
      expect(file).toMatchObject({ accepted: true, format, integrations: [{ key: entry?.key, valid: true }] });
      expect(JSON.stringify(JSON.parse(entry?.files[format] ?? ''))).toContain(JSON.stringify(entry?.[format]));
    }
  });

  it('omit the policy of an adopted bucket', () => {
    const found = everything(kubecost3);
    const adopted = { bucket, region: 'us-east-1', kmsKeyArn: null, adopted: true };
    const { iam, commands } = artifactsOf(runWith({ ...found, 'cur-bucket': adopted }), provisionerArn);
    expect(iam.filter(({ kind }) => kind === 'bucket-policy')).toEqual([]);
    expect(commands.filter(({ step }) => step === 'cur-bucket')).toEqual([]);
  });
});

describe('Helm values', () => {
  const texts = artifacts.flatMap(({ name, made }) =>
    made.helm.charts.flatMap(({ generation, values }) =>
      Object.entries(values ?? {}).map(([variant, text]) => ({ name, generation, variant, text })),
    ),
  );

  it.each(texts)('name the secret in the chart’s key: $name, $generation, $variant', (one) => {
    const values = parse(one.text) as Record<string, Record<string, unknown>>;
    const secret = one.name === 'irsa-opencost' ? 'cloud-costs' : 'cloud-integration';
    const keys: Record<string, string> = { 'kubecost-3': 'cloudCost', opencost: 'opencost' };
    expect(values[keys[one.generation] ?? 'kubecostProductConfigs']).toMatchObject({ cloudIntegrationSecret: secret });
    if (one.generation === 'kubecost-3') {
      // Keys of earlier charts make Helm fail.
      expect(Object.keys(values).sort()).toEqual(['cloudCost', 'global', 'serviceAccount']);
      expect(values.global).toEqual({ clusterId: 'finops' });
    }
    if (one.generation === 'opencost') expect(values.opencost).toMatchObject({ cloudCost: { enabled: true } });
    expect(values.serviceAccount).toMatchObject({ create: one.variant === 'chart' });
  });

  it('name the role only with IRSA, not with EKS Pod Identity', () => {
    const annotated = texts.filter(({ text }) => text.includes('eks.amazonaws.com/role-arn'));
    expect(annotated.length).toBeGreaterThan(0);
    expect(annotated.filter(({ name, variant }) => !name.startsWith('irsa') || variant !== 'chart')).toEqual([]);
  });

  it('mark the installed generation, or none', () => {
    const fitting = (name: keyof typeof runs) => {
      const { helm } = made(name);
      const fits = helm.charts.filter((chart) => chart.fits).map(({ generation }) => generation);
      return [helm.detected, ...fits];
    };
    expect(fitting('irsa-kubecost-3')).toEqual(['kubecost-3', 'kubecost-3']);
    expect(fitting('pod-identity-kubecost-2')).toEqual(['kubecost-2', 'kubecost-2']);
    expect(fitting('irsa-nothing-installed')).toEqual([null]);
  });

  it('create the service account unless the run created it', () => {
    expect(chartOf(made('irsa-nothing-installed'), 'kubecost-3')?.serviceAccount).toBe('existing');
    expect(chartOf(made('pod-identity-nothing-installed'), 'kubecost-3')?.serviceAccount).toBe('chart');
    expect(chartOf(made('irsa-kubecost-3'), 'kubecost-3')?.serviceAccount).toBe('chart');
    const run = structuredClone(runs['irsa-kubecost-3']);
    run.steps['pod-role']?.changes.push({ do: 'create-service-account', resource: 'kubecost/kubecost' });
    expect(chartOf(artifactsOf(run, provisionerArn), 'kubecost-3')?.serviceAccount).toBe('existing');
  });

  it('give a separate pod its own account with EKS Pod Identity', () => {
    const values = (generation: string) =>
      parse(chartOf(made('pod-identity-nothing-installed'), generation)?.values?.chart ?? '') as unknown;
    const ownAccount = { serviceAccountName: 'kubecost-serviceaccount' };
    expect(values('kubecost-3')).toMatchObject({ cloudCost: ownAccount, serviceAccount: { create: true } });
    expect(values('kubecost-2-statefulset')).toMatchObject({ kubecostAggregator: { cloudCost: ownAccount } });
    expect(chartOf(made('pod-identity-nothing-installed'), 'kubecost-1')).toBeUndefined();
  });
});

describe('the commands to copy', () => {
  it('are single lines that a POSIX shell accepts', () => {
    const lines = artifacts.flatMap(({ made: { commands, helm, cluster } }) => [
      ...commands.flatMap(({ command }) => command ?? []),
      ...helm.charts.map(({ install }) => install),
      cluster.accessEntry.command,
    ]);
    expect(lines.filter((line) => line.includes('\n'))).toEqual([]);
    execFileSync('sh', ['-n'], { input: lines.join('\n') });
  });

  it('pass each argument unchanged', () => {
    const words = [
      '',
      ' ',
      '*',
      "it's",
      '$(id)',
      '`id`',
      '"',
      '\\',
      ';',
      '~',
      '#',
      '!',
      '{a,b}',
      'é',
      '-n',
      'a\nb',
      '$HOME',
    ];
    const printed = execFileSync('sh', ['-c', commandLine('printf', '%s\\0', ...words)]).toString();
    expect(printed.split('\0').slice(0, -1)).toEqual(words);
  });

  it('read only documents that the artifacts contain', () => {
    for (const { made } of artifacts) {
      const files = made.commands.flatMap(({ command }) => /file:\/\/(\S+)/.exec(command ?? '')?.[1] ?? []);
      const names = made.iam.map(({ file }) => file);
      expect(files.filter((file) => !names.includes(file))).toEqual([]);
    }
    expect(made('irsa-kubecost-3').commands.some(({ command }) => command?.includes('file://'))).toBe(true);
  });
});

describe('the written YAML', () => {
  it('has the original value when it is parsed', () => {
    const texts = [
      '',
      'no',
      'NULL',
      '012',
      '1e3',
      'a: b',
      'a:',
      '- a',
      '# a',
      '&a',
      '*a',
      '"',
      "'",
      '\n',
      'é',
      '2026-01-01',
    ];
    const value = {
      list: texts,
      maps: [{ a: 'yes', b: [1, true] }, { c: {} }],
      ...Object.fromEntries(texts.map((text) => [text, text])),
    };
    expect(parse(writeYaml(value))).toEqual(value);
    expect(parse(writeYaml(value), { version: '1.1' })).toEqual(value);
  });

  it('has comments above their keys and omits undefined fields', () => {
    const text = writeYaml({ a: { b: 'c', d: undefined } }, { a: 'first\nsecond', 'a.b': 'third' });
    expect(text).toBe('# first\n# second\na:\n  # third\n  b: c\n');
  });

  it('is a manifest that Kubernetes accepts', () => {
    const { cluster } = made('irsa-kubecost-3');
    const objects = parseAllDocuments(`${cluster.manifest}---\n${cluster.serviceAccount ?? ''}`);
    const kinds = objects.map((object) => (object.toJS() as { kind: string }).kind);
    expect(kinds).toEqual(['Namespace', 'Role', 'RoleBinding', 'ServiceAccount']);
    expect(objects.flatMap(({ errors }) => errors)).toEqual([]);
  });
});

describe('GET /v1/runs/{runId}/artifacts', () => {
  let hub: HubServices;
  beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
  beforeEach(async () => {
    hub = new HubServices();
    await hub.start();
  });
  afterEach(() => hub.stop());
  afterAll(() => vi.restoreAllMocks());

  it('answers for a new run and adds outputs of ended steps', async () => {
    const runId = await givenRun({ status: 'queued' });
    const read = async () => Artifacts.parse((await call('GET', `/v1/runs/${runId}/artifacts`)).body);
    expect((await read()).missing).toContain('discovery');
    const output: Outputs[StepName] = kubecost3;
    await endStep(runId, 'discovery', output);
    const { missing, helm } = await read();
    expect(missing).not.toContain('discovery');
    expect(helm.detected).toBe('kubecost-3');
  });

  it('names the role of this deployment', async () => {
    const runId = await givenRun();
    const { body } = await call('GET', `/v1/runs/${runId}/artifacts`);
    expect(Artifacts.parse(body).cluster.accessEntry.command).toContain(provisionerArn);
  });

  it.each(['01kjq3w5e8f2c9m4x7v1t6s0rz', 'no-run-id'])('answers 404 for an unknown run: %s', async (runId) => {
    const { status, body } = await call('GET', `/v1/runs/${runId}/artifacts`);
    expect({ status, body }).toMatchObject({ status: 404, body: { code: 'run-not-found' } });
  });
});
