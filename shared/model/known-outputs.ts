import type { RunRecord } from './run.ts';
import { onboardingStepNames, type StepName } from './step-names.ts';
import { type Outputs, outputs } from './step-outputs.ts';

/** What a run has found out by now; remembers which steps are still to tell what somebody asked for. */
export class KnownOutputs {
  readonly #run: RunRecord;
  readonly #missing = new Set<StepName>();

  constructor(run: RunRecord) {
    this.#run = run;
  }

  /** Undefined if the step has left nothing yet, or what an older deployment's step left cannot be read. */
  find<Name extends StepName>(name: Name): Outputs[Name] | undefined {
    return outputs[name].safeParse(this.#run.steps[name]?.output).data as Outputs[Name] | undefined;
  }

  /** Null while one of the steps has not told. */
  when<Rendered>(needs: readonly StepName[], render: () => Rendered): Rendered | null {
    const lacking = needs.filter((name) => this.find(name) === undefined);
    for (const name of lacking) this.#missing.add(name);
    return lacking.length === 0 ? render() : null;
  }

  /** Steps that something above waits for, in the order of a run. */
  get missing(): StepName[] {
    return onboardingStepNames.filter((name) => this.#missing.has(name));
  }
}
