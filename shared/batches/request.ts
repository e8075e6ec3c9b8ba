import * as z from 'zod';
import { OffboardingRequest, OnboardingRequest } from '../model/run-requests.ts';
import { targetOf } from '../model/target.ts';

type Json = Record<string, unknown>;
type Path = readonly PropertyKey[];

const OnboardingPart = z.record(z.string(), z.unknown(), { error: 'must be an object' }).meta({
  id: 'OnboardingPart',
  description:
    'Any part of an OnboardingRequest. Objects in the defaults and in the item are merged field by field; for every other value the item replaces the default',
});

const Concurrency = z.int().min(1).max(200).default(25).meta({
  description:
    'Number of runs that are active at a time. A run that waits five minutes or longer, for example for the first delivery, does not count',
});

const FailureTolerance = z
  .union([z.int().min(0).max(1000), z.string().regex(/^(100|\d{1,2})%$/, 'must be a share such as 10%')], {
    error: 'must be a number of runs, or a share such as "10%"',
  })
  .default('10%')
  .meta({
    description:
      'Allowed failed runs, as a number or as a share of all runs (rounded down). If more fail, no further run starts. While only canaries run, a share refers to the canaries',
  });

const Canary = z.int().min(1).max(50).optional().meta({
  description:
    'Number of onboardings that start first. The others start when these have ended without too many failures',
});

export const BatchRequest = z
  .strictObject({
    defaults: OnboardingPart.default({}).meta({ description: 'Values for the fields that an onboarding does not set' }),
    onboardings: z.array(OnboardingPart).min(1).max(1000),
    canary: Canary,
    concurrency: Concurrency,
    failureTolerance: FailureTolerance,
  })
  .superRefine(
    ({ defaults, onboardings }, context) => {
      for (const { path, message } of problemsOf(defaults, onboardings))
        context.addIssue({ code: 'custom', path: [...path], message });
    },
    // Also when another field is wrong: one response lists every problem.
    { when: ({ value }) => readable.safeParse(value).success },
  )
  .meta({ id: 'BatchRequest' });
export type BatchRequest = z.output<typeof BatchRequest>;
export type BatchRequestInput = z.input<typeof BatchRequest>;

/** The parts that must be valid before the onboardings can be checked. */
const readable = z.object({ defaults: OnboardingPart, onboardings: z.array(z.unknown()).max(1000) });

export const BatchOptions = z
  .object({ canary: Canary.unwrap().nullable(), concurrency: Concurrency, failureTolerance: FailureTolerance })
  .meta({ id: 'BatchOptions' });
export type BatchOptions = z.output<typeof BatchOptions>;

/** How many of `count` runs may fail. Rounds down, as CloudFormation does for its stack sets. */
export function toleratedOf({ failureTolerance }: Pick<BatchOptions, 'failureTolerance'>, count: number): number {
  if (typeof failureTolerance === 'number') return failureTolerance;
  return Math.floor((count * Number(failureTolerance.slice(0, -1))) / 100);
}

/** The onboardings of a valid batch, each as a complete request. */
export function requestsOf({ defaults, onboardings }: BatchRequest): OnboardingRequest[] {
  return onboardings.map((part) => OnboardingRequest.parse(merge(defaults, part)));
}

const { payerAccountId, cluster, kubecost } = OffboardingRequest.shape;
/** Two onboardings may not have the same payer and target. This is checked even if other fields are wrong. */
const Subject = z.object({
  payerAccountId,
  cluster: cluster.strip(),
  kubecost: kubecost.unwrap().strip().prefault({}),
});

interface LocatedProblem {
  path: Path;
  message: string;
}

/** The problems of every onboarding, each at the place of the wrong value; a problem of the defaults is listed once. */
function problemsOf(defaults: Json, onboardings: readonly unknown[]): LocatedProblem[] {
  const problems = new Map<string, LocatedProblem>();
  const add = (path: Path, message: string) => problems.set(JSON.stringify([path, message]), { path, message });
  const firsts = new Map<string, number>();
  onboardings.forEach((part, index) => {
    if (!isObject(part)) return;
    const place: Path = ['onboardings', index];
    const request = merge(defaults, part);
    const { error } = OnboardingRequest.safeParse(request);
    for (const { path, message } of error?.issues.flatMap(spread) ?? []) {
      const isDefault = !has(part, path) && has(defaults, path);
      add([...(isDefault ? ['defaults'] : place), ...path], message);
    }
    const { data: subject } = Subject.safeParse(request);
    if (!subject) return;
    const key = JSON.stringify([subject.payerAccountId, targetOf(subject)]);
    const first = firsts.get(key);
    if (first === undefined) return void firsts.set(key, index);
    add(place, `has the same payer and target as /onboardings/${first}`);
    add(['onboardings', first], `has the same payer and target as /onboardings/${index}`);
  });
  return [...problems.values()];
}

/** One zod issue can list several unknown fields. */
function spread(issue: z.core.$ZodIssue): LocatedProblem[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not a known field' }));
}

/** A request is three objects deep. Deeper objects are wrong, so we do not merge them. */
const maxDepth = 4;

function merge(defaults: Json, part: Json, depth = 1): Json {
  const both = Object.entries(part).map(([name, value]): [string, unknown] => {
    const under = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
    return [name, isObject(under) && isObject(value) && depth < maxDepth ? merge(under, value, depth + 1) : value];
  });
  return Object.fromEntries([...Object.entries(defaults), ...both]);
}

function has(value: unknown, [name, ...rest]: Path): boolean {
  if (name === undefined) return true;
  return isObject(value) && Object.hasOwn(value, name) && has(value[String(name)], rest);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
