import type { RunRecord } from '../model/run.ts';
import { onboardingStepNames, type StepName } from '../model/step-names.ts';
import { type Outputs, parseOutput } from '../model/steps-and-outputs.ts';

/** The outputs that a run has so far; collects the steps whose output was requested and is missing. */
export class OutputsSoFar {
  readonly #run: RunRecord;
  readonly #missing = new Set<StepName>();

  constructor(run: RunRecord) {
    this.#run = run;
  }

  find<Name extends StepName>(name: Name): Outputs[Name] | undefined {
    return parseOutput(name, this.#run.steps[name]?.output);
  }

  /** Null while the output of one of the steps is missing. */
  when<Rendered>(needs: readonly StepName[], render: () => Rendered): Rendered | null {
    const lacking = needs.filter((name) => this.find(name) === undefined);
    for (const name of lacking) this.#missing.add(name);
    return lacking.length === 0 ? render() : null;
  }

  /** Steps whose output was requested and is missing, in the order of a run. */
  get missing(): StepName[] {
    return onboardingStepNames.filter((name) => this.#missing.has(name));
  }
}
