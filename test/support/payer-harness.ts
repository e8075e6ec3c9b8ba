import type { ErrorCode } from '../../shared/errors/catalogue.ts';
import { isKnownError, type KnownError } from '../../shared/errors/errors.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { phaseSteps, type StepName } from '../../shared/model/step-names.ts';
import { deployProvisioner } from './provisioners.ts';
import { type OneRun, StepHarness } from './step-harness.ts';
import type { StepOutcome } from './take-step.ts';

/** The demo's clusters, and a new payer account for each test. */
export class PayerHarness {
  readonly stepHarness: StepHarness;
  #accounts = 0;

  constructor(stepHarness: StepHarness) {
    this.stepHarness = stepHarness;
  }

  static async open(): Promise<PayerHarness> {
    return new PayerHarness(await StepHarness.open());
  }

  get world() {
    return this.stepHarness.world;
  }

  /** @param parameters of the payer’s access template */
  newPayer(parameters: Record<string, string> = {}): string {
    const accountId = String(333300000000 + ++this.#accounts);
    deployProvisioner(this.world, 'payer', accountId, parameters);
    return accountId;
  }

  begin(payerAccountId: string, changes: Partial<OnboardingRequestInput> = {}): Promise<OneRun> {
    return this.stepHarness.begin('new-irsa', { payerAccountId, wait: { intervalMinutes: 240 }, ...changes });
  }

  endRuns(): Promise<void> {
    return this.stepHarness.endRuns();
  }

  /** Takes the steps of the billing and query branches before `step`. */
  async takeUntil(step: StepName, run: OneRun): Promise<void> {
    for (const name of branches.slice(
      0,
      branches.findIndex((name) => name === step),
    ))
      await run.take(name);
  }

  async takeTo(last: StepName, run: OneRun): Promise<StepOutcome> {
    await this.takeUntil(last, run);
    return run.take(last);
  }
}

const branches: StepName[] = [...phaseSteps.preparation, ...phaseSteps.billing, ...phaseSteps.query];

/** The error of a step that must not succeed. */
export async function knownErrorOf(taking: Promise<unknown>): Promise<{ code: ErrorCode; message: string }> {
  const error: unknown = await taking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isKnownError(error)) throw error instanceof Error ? error : new Error('the step succeeded');
  const { code, message }: KnownError = error;
  return { code, message };
}
