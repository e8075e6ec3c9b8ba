import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take seconds, the longest first, so that all workers end at about the same time. */
const longest = [
  'steps/contract',
  'steps/sharing',
  'steps/publish',
  'runs/installations',
  'steps/offboard-payer',
  'steps/offboard-cluster',
  'runs/at-once',
  'steps/remove-entry',
  'steps/access',
  'api/batches',
  'runs/fleet',
  'runs/offboarding',
  'runs/failures',
  'steps/crawler',
  'runs/retry',
  'steps/load-proof',
  'runs/plan',
  'runs/faults',
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
