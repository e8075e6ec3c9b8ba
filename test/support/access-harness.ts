import { randomBytes } from 'node:crypto';
import { newRunId } from '../../shared/model/run-id.ts';
import {
  OffboardingRequest,
  type OffboardingRequestInput,
  OnboardingRequest,
  type OnboardingRequestInput,
} from '../../shared/model/run-requests.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { targetOf } from '../../shared/model/target.ts';
import { iso, now } from '../../shared/platform/clock.ts';
import { createRun, type NewRun, readRun } from '../../shared/runs/run-table.ts';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { type Cluster, crashAfterWrite, type World } from '../sandbox/index.ts';
import { type DeployedSandbox, startDeployedSandbox } from './deployed-sandbox.ts';
import { deployProvisioner } from './provisioners.ts';
import { endStep } from './stored-runs.ts';
import { invokeStep, type StepOutcome, takeStep } from './take-step.ts';

export const payerAccountId = '111122223333';
export const clusterAccountId = '222233334444';
export const region = 'eu-west-1';

/** Steps that work on a cluster, in the order of a run; then those of an offboarding that work on the same file. */
const steps = [
  'cluster-access',
  'discovery',
  'pod-role',
  'pod-identity',
  'payer-role',
  'grant',
  'chain-proof',
  'publish',
  'load-proof',
  'remove-entry',
  'unload-proof',
] as const satisfies StepName[];
export type AccessStep = (typeof steps)[number];

/** Outputs of the other branches. */
const elsewhere = {
  'athena-results': {
    athenaWorkgroup: 'primary',
    athenaResultsBucket: `kubecost-athena-results-${payerAccountId}-us-east-1`,
    athenaResultsLocation: `s3://kubecost-athena-results-${payerAccountId}-us-east-1`,
    athenaRegion: 'us-east-1',
    kmsKeyArn: null,
  },
  'crawler-table': {
    athenaDatabase: 'athenacurcfn_kubecost_cur',
    athenaTable: 'kubecost_cur',
    newestPartition: { year: '2026', month: '11' },
  },
};

/** A payer account, a cluster account with a cluster, and runs whose other branches are done. */
export class AccessHarness {
  readonly sandbox: DeployedSandbox;
  readonly world: World;
  readonly cluster: Cluster;

  private constructor(sandbox: DeployedSandbox, cluster: Cluster) {
    this.sandbox = sandbox;
    this.world = sandbox.world;
    this.cluster = cluster;
  }

  static async start(): Promise<AccessHarness> {
    const sandbox = await startDeployedSandbox();
    const { world } = sandbox;
    deployProvisioner(world, 'payer', payerAccountId);
    deployProvisioner(world, 'cluster', clusterAccountId);
    const name = `finops-${randomBytes(3).toString('hex')}`;
    const cluster = await world.eks.createCluster({ accountId: clusterAccountId, region, name });
    return new AccessHarness(sandbox, cluster);
  }

  close(): Promise<void> {
    return this.sandbox.close();
  }

  /** A run whose other branches are done. */
  async newRun(
    request: Partial<OnboardingRequestInput> = {},
    podIdentityAvailable = true,
    athenaResults: object = {},
    cluster = this.cluster,
  ): Promise<string> {
    const { accountId, region, name, version, issuer, arn, kubernetes } = cluster;
    const run: NewRun = {
      runId: newRunId(),
      kind: 'onboarding',
      attempt: 1,
      status: 'running',
      createdAt: iso(now()),
      request: OnboardingRequest.parse({
        payerAccountId,
        cluster: { accountId, region, name },
        ...request,
      }),
    };
    await createRun(run);
    const preflight = {
      clusterArn: arn,
      clusterVersion: version,
      endpoint: kubernetes.endpoint,
      certificateAuthority: Buffer.from(kubernetes.certificateAuthority).toString('base64'),
      oidcIssuer: issuer,
      podIdentityAvailable,
      organization: 'management',
      unreservedConcurrency: 1000,
      lakeFormationLocked: false,
    };
    const results = { ...elsewhere['athena-results'], ...athenaResults };
    for (const [step, output] of Object.entries({ preflight, ...elsewhere, 'athena-results': results })) {
      await endStep(run.runId, step as StepName, output);
    }
    return run.runId;
  }

  /** An offboarding whose inventory is done. The inventory found nothing except `found`. */
  async newOffboarding(
    request: Partial<OffboardingRequestInput> = {},
    found: Partial<Outputs['inventory']> = {},
  ): Promise<string> {
    const { name, issuer, kubernetes } = this.cluster;
    const runId = newRunId(now());
    const parsed = OffboardingRequest.parse({
      payerAccountId,
      cluster: { accountId: clusterAccountId, region, name },
      ...request,
    });
    const run = { runId, kind: 'offboarding', attempt: 1, status: 'running', createdAt: iso(now()) } as const;
    await createRun({ ...run, request: parsed });
    const inventory: Outputs['inventory'] = {
      onboardedBy: null,
      cluster: {
        endpoint: kubernetes.endpoint,
        certificateAuthority: Buffer.from(kubernetes.certificateAuthority).toString('base64'),
        oidcIssuer: issuer,
      },
      identityMode: 'irsa',
      serviceAccount: 'kubecost-serviceaccount',
      publishedKey: null,
      report: null,
      athenaWorkgroup: 'primary',
      athenaResultsBucket: null,
      ...found,
    };
    await endStep(runId, 'inventory', inventory);
    return runId;
  }

  /** One invocation. @throws what the handler throws */
  invoke(runId: string, name: AccessStep): Promise<StepAnswer> {
    return invokeStep(this.sandbox, runId, name);
  }

  /** Ends the step right after its nth write to AWS or the cluster. */
  async crash(runId: string, name: AccessStep, n: number): Promise<void> {
    const restart = crashAfterWrite(this.world, n);
    await this.invoke(runId, name).catch(() => undefined);
    restart();
  }

  /** Takes a step to its end, whether it succeeds or fails. */
  take(runId: string, name: AccessStep): Promise<StepOutcome> {
    return takeStep(this.sandbox, runId, name);
  }

  /** Every step the run takes, up to `last` or the first that fails. */
  async takeAll(runId: string, last: AccessStep = 'publish'): Promise<Partial<Record<AccessStep, StepOutcome>>> {
    const taken: Partial<Record<AccessStep, StepOutcome>> = {};
    const run = await readRun(runId);
    for (const name of steps) {
      if (run?.steps[name]?.status === 'skipped') continue;
      taken[name] = await this.take(runId, name);
      if (taken[name].error || name === last) break;
    }
    return taken;
  }

  async targetOf(runId: string) {
    const run = await readRun(runId);
    if (!run) throw new Error(`no run ${runId}`);
    return targetOf(run.request);
  }

  /** The file in the cluster, as text. */
  file(namespace = 'kubecost', name = 'cloud-integration'): string | undefined {
    const secret = this.cluster.kubernetes.get('Secret', namespace, name);
    const data = (secret as { data?: Record<string, string> } | undefined)?.data?.['cloud-integration.json'];
    return data === undefined ? undefined : Buffer.from(data, 'base64').toString();
  }

  putFile(text: string, metadata: object = {}, namespace = 'kubecost', name = 'cloud-integration'): void {
    this.cluster.kubernetes.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace, ...metadata },
      type: 'Opaque',
      data: { 'cloud-integration.json': Buffer.from(text).toString('base64') },
    });
  }

  /** Writes to any AWS account or cluster so far. */
  writes(): string[] {
    return this.world.calls.filter(({ writes }) => writes).map(({ service, operation }) => `${service}:${operation}`);
  }
}
