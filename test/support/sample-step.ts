import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type Situation, type Step, type StepChange } from '../../shared/step/contract.ts';

type Output = Outputs['payer-policy'];
type Note = StepChange & { action: 'put-note'; text: string };
export type SamplePlan = Plan<Note, Output>;

interface Options extends Pick<Step, 'lease' | 'proof' | 'register' | 'invalidates' | 'waits' | 'watchedWaits'> {
  /** Replaces the default plan where it returns one. */
  plan?: (notes: ReadonlyMap<string, string>, situation: Situation) => SamplePlan | undefined;
}

export const sampleOutput: Output = { policyName: 'sample', characters: 3 };
const document = '{"key":"not for logs"}';

/** A step that makes three notes in a map: a bucket first, then its policy and its tags. */
export class SampleStep {
  readonly notes = new Map<string, string>();
  /** Every write, in order. */
  readonly written: string[] = [];
  /** False: `observe` does not see what was written. */
  holds = true;
  /** They run before `observe` and after a write; they may fail or change the world. */
  beforeLook: () => void | Promise<void> = () => undefined;
  afterWrite: (resource: string) => void | Promise<void> = () => undefined;
  readonly step: Step;

  constructor({ plan, ...options }: Options = {}) {
    this.step = defineStep<'payer-policy', object, [string, string][], Note>({
      name: 'payer-policy',
      summary: 'Puts notes on a sample',
      permissions: {},
      waits: {
        'delivery-overdue': { seconds: 5, longestSeconds: 48 * 3600 },
        'run-queue-overdue': { seconds: 1, longestSeconds: 3600 },
      },
      ...options,
      input: () => ({}),
      observe: async () => {
        await this.beforeLook();
        return this.holds ? [...this.notes] : [];
      },
      plan: (_, seen, situation) => plan?.(new Map(seen), situation) ?? ownPlan(new Map(seen)),
      apply: async (_, { resource, text }) => {
        this.notes.set(resource, text);
        this.written.push(resource);
        await this.afterWrite(resource);
        return 'changed';
      },
    });
  }
}

export const put = (resource: string): Note => ({
  action: 'put-note',
  resource,
  note: `${resource} note`,
  text: document,
});

function ownPlan(notes: ReadonlyMap<string, string>): SamplePlan {
  const missing = ['bucket', 'policy', 'tags'].filter((resource) => !notes.has(resource)).map(put);
  const [first, ...more] = missing;
  if (!first) return { kind: 'ready', output: sampleOutput, warnings: ['nearly full'] };
  const changes: [Note, ...Note[]] = first.resource === 'bucket' ? [first] : [first, ...more];
  return { kind: 'change', changes, expected: sampleOutput };
}
