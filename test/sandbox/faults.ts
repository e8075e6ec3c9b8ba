import type { Protocol } from './codec/codec.ts';
import { AwsError } from './service.ts';
import type { World } from './world.ts';

export type Fault =
  | 'throttle'
  | '500'
  | 'denied'
  /** The connection breaks before the operation runs. */
  | 'reset'
  /** The operation runs, then the connection breaks. */
  | 'applied-but-lost'
  | { code: string; message: string; status?: number };

/** A planted fault. Calls that match are counted from 1, per rule, since the rule was added to `world.faults`. */
export interface FaultRule {
  service?: string;
  operation?: string;
  accountId?: string;
  /** Only writes, or only reads. */
  writes?: boolean;
  /** Which of the matching calls fail. @default all */
  nth?: number | `every-${number}` | `from-${number}`;
  /** The rule counts and fails calls only after this number of writes. */
  afterWrites?: number;
  /** The maximum number of failed calls. */
  times?: number;
  kind: Fault;
}

export interface FaultTarget {
  service: string;
  operation: string;
  accountId: string;
  writes: boolean;
}

const counts = new WeakMap<FaultRule, { writes: number; matched: number; struck: number }>();

/** The fault for this call, if any. Every matching rule counts the call, even if an earlier rule fails it. */
export function strike(world: World, call: FaultTarget): Fault | undefined {
  let struck: Fault | undefined;
  for (const rule of world.faults) {
    if (!matches(rule, call)) continue;
    const count = counts.get(rule) ?? { writes: 0, matched: 0, struck: 0 };
    counts.set(rule, count);
    if (count.writes < (rule.afterWrites ?? 0)) {
      if (call.writes) count.writes++;
      continue;
    }
    count.matched++;
    if (struck !== undefined || count.struck >= (rule.times ?? Infinity) || !isTurn(rule.nth, count.matched)) continue;
    count.struck++;
    struck = rule.kind;
  }
  return struck;
}

function matches(rule: FaultRule, call: FaultTarget): boolean {
  return (
    (rule.service ?? call.service) === call.service &&
    (rule.operation ?? call.operation) === call.operation &&
    (rule.accountId ?? call.accountId) === call.accountId &&
    (rule.writes ?? call.writes) === call.writes
  );
}

function isTurn(nth: FaultRule['nth'], matched: number): boolean {
  if (nth === undefined) return true;
  if (typeof nth === 'number') return matched === nth;
  const [word, figure] = nth.split('-');
  return word === 'every' ? matched % Number(figure) === 0 : matched >= Number(figure);
}

/**
 * Simulates a process that ends directly after its nth write from now on: that write is answered, then every connection breaks,
 * reads included, until the returned function is called.
 */
export function crashAfterWrite(world: World, n: number): () => void {
  const rule: FaultRule = { kind: 'reset', afterWrites: n };
  world.faults.push(rule);
  return () => {
    world.faults.splice(world.faults.indexOf(rule), 1);
  };
}

const throttling: Record<string, [code: string, status: number, message?: string]> = {
  iam: ['Throttling', 400],
  sts: ['Throttling', 400],
  cloudformation: ['Throttling', 400],
  s3: ['SlowDown', 503, 'Please reduce your request rate.'],
  eks: ['ThrottlingException', 429],
  lambda: ['TooManyRequestsException', 429],
  lakeformation: ['ThrottledException', 400],
  athena: ['TooManyRequestsException', 400],
  organizations: ['TooManyRequestsException', 400],
};

const internal: Record<string, string> = { s3: 'InternalError', cur: 'InternalErrorException' };

/** The error of a fault; undefined for faults that break the connection. */
export function faultError(
  fault: Fault,
  call: FaultTarget,
  protocol: Protocol,
  callerArn: string,
): AwsError | undefined {
  if (typeof fault === 'object') return new AwsError(fault.code, fault.message, fault.status);
  switch (fault) {
    case 'throttle': {
      const [code, status, message = 'Rate exceeded'] = throttling[call.service] ?? ['ThrottlingException', 400];
      return new AwsError(code, message, status);
    }
    case '500':
      return new AwsError(internal[call.service] ?? 'InternalFailure', 'We encountered an internal error.', 500);
    case 'denied':
      return accessDenied(
        protocol,
        `User: ${callerArn} is not authorized to perform: ${call.service}:${call.operation} because no identity-based policy allows the ${call.service}:${call.operation} action`,
      );
    case 'reset':
    case 'applied-but-lost':
      return undefined;
  }
}

export function accessDenied(protocol: Protocol, message: string): AwsError {
  if (protocol === 'query' || protocol === 'rest-xml') return new AwsError('AccessDenied', message, 403);
  return new AwsError('AccessDeniedException', message, protocol === 'rest-json' ? 403 : 400);
}
