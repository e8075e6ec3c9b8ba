import { randomBytes } from 'node:crypto';
import { chainProof } from '../../functions/steps/chain-proof.ts';
import { clusterAccess } from '../../functions/steps/cluster-access.ts';
import { discovery } from '../../functions/steps/discovery.ts';
import { grant } from '../../functions/steps/grant.ts';
import { loadProof } from '../../functions/steps/load-proof.ts';
import { payerRole } from '../../functions/steps/payer-role.ts';
import { podIdentity } from '../../functions/steps/pod-identity.ts';
import { podRole } from '../../functions/steps/pod-role.ts';
import { publish } from '../../functions/steps/publish.ts';
import { removeEntry } from '../../functions/steps/remove-entry.ts';
import { unloadProof } from '../../functions/steps/unload-proof.ts';
import { classify } from '../../shared/errors/errors.ts';
import {
  OffboardingRequest,
  type OffboardingRequestInput,
  OnboardingRequest,
  type OnboardingRequestInput,
} from '../../shared/model/onboarding-request.ts';
import { newRunId } from '../../shared/model/run-id.ts';
import { type RunError, runErrorOf, type StepRecord } from '../../shared/model/run-schemas.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { targetOf } from '../../shared/model/target.ts';
import { iso, now } from '../../shared/platform/clock.ts';
import { createRun, type NewRun, readRun } from '../../shared/runs/run-table.ts';
import type { Step } from '../../shared/step/contract.ts';
import { type StepAnswer, stepHandler } from '../../shared/step-runner/handler.ts';
import { type Cluster, crashAfterWrite, type World } from '../sandbox/index.ts';
import { type DeployedSandbox, startDeployedSandbox } from './deployed-sandbox.ts';
import { deployProvisioner } from './provisioners.ts';
import { endStep } from './stored-runs.ts';

export const payerAccountId = '111122223333';
export const clusterAccountId = '222233334444';
export const region = 'eu-west-1';

/** The access branch in its order, publish and the load proof; then the same in reverse, as far as the consumer is concerned. */
const steps = {
  'cluster-access': clusterAccess,
  discovery,
  'pod-role': podRole,
  'pod-identity': podIdentity,
  'payer-role': payerRole,
  grant,
  'chain-proof': chainProof,
  publish,
  'load-proof': loadProof,
  'remove-entry': removeEntry,
  'unload-proof': unloadProof,
} satisfies Partial<Record<StepName, Step>>;
export type AccessStep = keyof typeof steps;

/** What the other branches leave behind. */
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

export interface Taken {
  status: StepRecord['status'];
  record: StepRecord;
  /** What was done, in order. */
  done: string[];
  /** Virtual seconds. */
  seconds: number;
  error?: RunError;
}

/** Two accounts with the rights the access steps declare, a cluster, and runs that take these steps by their real handlers. */
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

  /** An offboarding whose inventory is done, of a payer that nobody knows unless `found` says so. */
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

  /** One invocation of a step's handler. */
  invoke(runId: string, name: AccessStep): Promise<StepAnswer> {
    const handler = stepHandler(steps[name]);
    const context = { getRemainingTimeInMillis: () => 300_000 } as never;
    return this.world.clock.hold(() => handler({ runId, attempt: 1 }, context));
  }

  /** Lets the step die right after its nth write to AWS or the cluster. */
  async crash(runId: string, name: AccessStep, n: number): Promise<void> {
    const restart = crashAfterWrite(this.world, n);
    await this.invoke(runId, name).catch(() => undefined);
    restart();
  }

  /** Takes a step as the state machine would: waits are waited for, retryable errors tried again. */
  async take(runId: string, name: AccessStep): Promise<Taken> {
    const { clock } = this.world;
    const started = clock.now();
    let error: RunError | undefined;
    for (let invocation = 0, seconds = 0; invocation < 60; invocation++) {
      if (seconds > 0) await clock.sleep(seconds * 1000);
      try {
        const answer = await this.invoke(runId, name);
        error = undefined;
        if (answer.status !== 'waiting') break;
        seconds = answer.seconds;
      } catch (thrown) {
        const known = classify(thrown);
        error = runErrorOf(known, name);
        if (known.name !== 'RetryableError') break;
        seconds = Math.min(60, 2 ** (invocation + 1));
      }
    }
    const record = (await readRun(runId))?.steps[name];
    if (!record) throw new Error(`run ${runId} has no step ${name}`);
    return {
      status: record.status,
      record,
      done: record.changes.map((change) => change.do),
      seconds: (clock.now() - started) / 1000,
      ...(error && { error }),
    };
  }

  /** Every step the run takes, up to `last` or the first that fails. */
  async takeAll(runId: string, last: AccessStep = 'publish'): Promise<Partial<Record<AccessStep, Taken>>> {
    const taken: Partial<Record<AccessStep, Taken>> = {};
    const run = await readRun(runId);
    for (const name of Object.keys(steps) as AccessStep[]) {
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
