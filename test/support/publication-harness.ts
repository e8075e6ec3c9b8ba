import { parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import { podRoleOf, type RunRecord } from '../../shared/model/run.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { markGranted } from '../../shared/targets/payers-of-target.ts';
import type { KubecostGeneration } from '../sandbox/index.ts';
import { AccessHarness, clusterAccountId } from './access-harness.ts';
import { type Tally, tallyPublications } from './publication-tally.ts';
import { endStep, storedRun } from './stored-runs.ts';
import type { StepOutcome } from './take-step.ts';

const copied: StepName[] = ['cluster-access', 'discovery', 'pod-role'];

/** One target, and runs of any number of payers that only publish. */
export class PublicationHarness {
  readonly access: AccessHarness;
  readonly target: Target;
  readonly tally: Tally;
  readonly #first: RunRecord;

  private constructor(access: AccessHarness, target: Target, first: RunRecord) {
    this.access = access;
    this.target = target;
    this.#first = first;
    this.tally = tallyPublications(access.cluster.kubernetes.store, target.secretName);
  }

  /** Kubecost is installed; the access entry and the pod's role exist. */
  static async start(generation: KubecostGeneration = '3.x'): Promise<PublicationHarness> {
    const access = await AccessHarness.start();
    access.cluster.kubernetes.installKubecost({ generation });
    const first = await access.newRun();
    await access.takeAll(first, 'pod-role');
    const run = await storedRun(first);
    return new PublicationHarness(access, targetOf(run.request), run);
  }

  close(): Promise<void> {
    return this.access.close();
  }

  /** A run whose steps before publish are done; the payer's role is granted. */
  async newRun(
    payerAccountId: string,
    request: Partial<OnboardingRequestInput> = {},
    athenaResultsLocation = `s3://results-${payerAccountId}`,
  ): Promise<string> {
    const runId = await this.access.newRun({ payerAccountId, ...request }, true, { athenaResultsLocation });
    const payerRoleArn = `arn:aws:iam::${payerAccountId}:role/kubecost-cur-access`;
    const done = Object.fromEntries(copied.map((name) => [name, this.#first.steps[name]?.output ?? {}]));
    const policyArn = `arn:aws:iam::${clusterAccountId}:policy/kubecost-access-cur-in-payer-account-0a1b2c3d`;
    for (const [step, output] of Object.entries({ ...done, 'payer-role': { payerRoleArn }, grant: { policyArn } })) {
      await endStep(runId, step as StepName, output);
    }
    await markGranted(this.target, payerAccountId, { payerRoleArn, podRoleArn: podRoleOf(this.#first).podRoleArn });
    return runId;
  }

  async publish(payerAccountId: string, request: Partial<OnboardingRequestInput> = {}): Promise<StepOutcome> {
    return this.access.take(await this.newRun(payerAccountId, request), 'publish');
  }

  /** An offboarding that knows the published key of the payer. */
  newOffboarding(payerAccountId: string, publishedKey: string | null = keyOf(payerAccountId)): Promise<string> {
    return this.access.newOffboarding({ payerAccountId }, { publishedKey });
  }

  async leave(payerAccountId: string): Promise<StepOutcome> {
    return this.access.take(await this.newOffboarding(payerAccountId), 'remove-entry');
  }

  /** Keys of the entries in the cluster's file, sorted. @throws if the consumer rejects the file */
  keys(): string[] {
    const text = this.access.file();
    if (text === undefined) return [];
    const parsed = parseIntegrationFile(text);
    if (!parsed.accepted) throw new Error(`${parsed.path} ${parsed.problem}`);
    return parsed.integrations.map(({ key }) => key).sort();
  }
}

/** The key of a payer whose run names no results location of its own. */
export function keyOf(payerAccountId: string): string {
  return `${payerAccountId}/s3://results-${payerAccountId}`;
}
