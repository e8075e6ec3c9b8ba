import * as z from 'zod';
import { OffboardingRequest, OnboardingRequest } from '../model/onboarding-request.ts';
import { targetOf } from '../model/target.ts';

type Json = Record<string, unknown>;
type Path = readonly PropertyKey[];

const OnboardingPart = z.record(z.string(), z.unknown(), { error: 'must be an object' }).meta({
  id: 'OnboardingPart',
  description:
    'Any part of an OnboardingRequest, at any depth. Objects of defaults and item are merged field by field, everything else is the item’s',
});

const Concurrency = z.int().min(1).max(200).default(25).meta({
  description:
    'Runs at work at a time. A run that waits five minutes or longer, as for AWS’s first delivery, gives its place to the next one',
});

const FailureTolerance = z
  .union([z.int().min(0).max(1000), z.string().regex(/^(100|\d{1,2})%$/, 'must be a share such as 10%')], {
    error: 'must be a number of runs, or a share such as "10%"',
  })
  .default('10%')
  .meta({
    description:
      'Failed runs, as a number or as a share of all (rounded down), beyond which nothing more is started; while only canaries run, a share is one of these',
  });

const Canary = z
  .int()
  .min(1)
  .max(50)
  .optional()
  .meta({ description: 'So many onboardings first; the others start once these have ended without too many failures' });

export const BatchRequest = z
  .strictObject({
    defaults: OnboardingPart.default({}).meta({ description: 'What each onboarding leaves open' }),
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
    // Also when another field is wrong: every problem belongs in one answer.
    { when: ({ value }) => readable.safeParse(value).success },
  )
  .meta({ id: 'BatchRequest' });
export type BatchRequest = z.output<typeof BatchRequest>;
export type BatchRequestInput = z.input<typeof BatchRequest>;

/** What has to be right before the onboardings can be looked at. */
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

/** The onboardings of a valid batch, each as if it had been sent by itself. */
export function requestsOf({ defaults, onboardings }: BatchRequest): OnboardingRequest[] {
  return onboardings.map((part) => OnboardingRequest.parse(merge(defaults, part)));
}

const { payerAccountId, cluster, kubecost } = OffboardingRequest.shape;
/** What two onboardings may not have in common, told whatever else is wrong with them. */
const Subject = z.object({
  payerAccountId,
  cluster: cluster.strip(),
  kubecost: kubecost.unwrap().strip().prefault({}),
});

interface Problem {
  path: Path;
  message: string;
}

/** Of every onboarding, at the place where it was written; what lies in the defaults once. */
function problemsOf(defaults: Json, onboardings: readonly unknown[]): Problem[] {
  const problems = new Map<string, Problem>();
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
    add(place, `is the same payer and target as /onboardings/${first}`);
    add(['onboardings', first], `is the same payer and target as /onboardings/${index}`);
  });
  return [...problems.values()];
}

/** Unknown fields come many to an issue. */
function spread(issue: z.core.$ZodIssue): Problem[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not known here' }));
}

/** A request is three objects deep: what is nested deeper is wrong, and not for us to follow. */
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
