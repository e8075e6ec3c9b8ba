import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take seconds, the longest first, so that all workers end at about the same time. */
const longest = [
  'steps/contract',
  'steps/publish',
  'runs/at-once',
  'steps/offboard-payer',
  'api/batches',
  'steps/access',
  'steps/offboard-cluster',
  'steps/remove-entry',
  'runs/offboarding',
  'steps/load-proof',
  'runs/failures',
  'runs/plan',
  'runs/faults',
  'runs/retry',
  'steps/crawler',
  'steps/sharing',
  'runs/installations',
].map((name) => `/test/${name}.test.ts`);

export class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex((end) => moduleId.endsWith(end));
      return index === -1 ? longest.length : index;
    };
    const named = files.toSorted((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
    return Promise.resolve(named.toSorted((a, b) => place(a) - place(b)));
  }
}
