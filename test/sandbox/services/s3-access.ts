import { AwsError, type Caller } from '../service.ts';
import type { Bucket } from './s3.ts';

interface Statement {
  Effect: string;
  Principal?: string | Record<string, string | string[]>;
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, string | boolean | (string | boolean)[]>>;
}

type Context = Record<string, string>;

export function accessDenied(): AwsError {
  return new AwsError('AccessDenied', 'Access Denied', 403);
}

/** What the bucket's policy does to a caller: its denials bind everybody, and strangers need its consent. */
export function refusedByBucketPolicy(bucket: Bucket, caller: Caller, action: string, resource: string): boolean {
  const context: Context = {
    'aws:securetransport': 'true',
    's3:tlsversion': '1.3',
    'aws:principalarn': caller.roleArn ?? caller.arn,
    'aws:principalaccount': caller.accountId,
    'aws:resourceaccount': bucket.accountId,
  };
  const effects = statementsOf(bucket)
    .filter((statement) => namesCaller(statement, caller) && covers(statement, action, resource, context))
    .map(({ Effect }) => Effect);
  return effects.includes('Deny') || (caller.accountId !== bucket.accountId && !effects.includes('Allow'));
}

/** May an AWS service that acts for `sourceArn` do this to the bucket? */
export function allowsService(bucket: Bucket, service: string, action: string, resource: string, sourceArn: string) {
  const context: Context = {
    'aws:securetransport': 'true',
    's3:tlsversion': '1.3',
    'aws:sourcearn': sourceArn,
    'aws:sourceaccount': sourceArn.split(':')[4] ?? '',
    'aws:principalservicename': service,
    'aws:principalisawsservice': 'true',
  };
  const effects = statementsOf(bucket)
    .filter((statement) => namesService(statement, service) && covers(statement, action, resource, context))
    .map(({ Effect }) => Effect);
  return effects.includes('Allow') && !effects.includes('Deny');
}

export function checkBucketPolicy(text: string, bucket: Bucket): void {
  for (const statement of parse(text)) {
    if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') throw malformed('Invalid effect in policy');
    if (statement.Principal === undefined && !('NotPrincipal' in statement))
      throw malformed('Missing required field Principal');
    if (statement.Action === undefined && statement.NotAction === undefined)
      throw malformed('Missing required field Action');
    if (![...list(statement.Action), ...list(statement.NotAction)].every((action) => /^(\*|s3:[\w*?]+)$/i.test(action)))
      throw malformed('Policy has invalid action');
    const arn = `arn:aws:s3:::${bucket.name}`;
    const resources = [...list(statement.Resource), ...list(statement.NotResource)];
    if (resources.length === 0) throw malformed('Missing required field Resource');
    if (!resources.every((resource) => resource === arn || resource.startsWith(`${arn}/`) || resource === '*'))
      throw malformed('Policy has invalid resource');
    if (bucket.publicAccessBlock?.BlockPublicPolicy && isPublic(statement)) throw accessDenied();
  }
}

function isPublic(statement: Statement): boolean {
  const anybody = statement.Principal === '*' || principals(statement, 'AWS').includes('*');
  return statement.Effect === 'Allow' && anybody && statement.Condition === undefined;
}

function malformed(message: string): AwsError {
  return new AwsError('MalformedPolicy', message, 400);
}

function parse(text: string): Statement[] {
  let policy: { Version?: string; Statement?: Statement | Statement[] };
  try {
    policy = JSON.parse(text) as typeof policy;
  } catch {
    throw malformed("Policies must be valid JSON and the first byte must be '{'");
  }
  if (policy.Version !== '2012-10-17' && policy.Version !== '2008-10-17' && policy.Version !== undefined)
    throw malformed('The policy must contain a valid version string');
  if (policy.Statement === undefined) throw malformed('Missing required field Statement');
  return list(policy.Statement);
}

function statementsOf(bucket: Bucket): Statement[] {
  return bucket.policy ? parse(bucket.policy.text) : [];
}

function principals({ Principal }: Statement, kind: string): string[] {
  return typeof Principal === 'object' ? list(Principal[kind]) : [];
}

function namesCaller(statement: Statement, { accountId, arn, roleArn }: Caller): boolean {
  if (statement.Principal === '*') return true;
  const selves = ['*', accountId, `arn:aws:iam::${accountId}:root`, arn, roleArn];
  return principals(statement, 'AWS').some((principal) => selves.includes(principal));
}

function namesService(statement: Statement, service: string): boolean {
  return statement.Principal === '*' || principals(statement, 'Service').includes(service);
}

function covers(statement: Statement, action: string, resource: string, context: Context): boolean {
  const { Action, NotAction, Resource, NotResource, Condition = {} } = statement;
  const about = (patterns: string | string[] | undefined, value: string) =>
    list(patterns).some((pattern) => like(pattern.toLowerCase(), value.toLowerCase()));
  if (Action === undefined ? about(NotAction, action) : !about(Action, action)) return false;
  const named = (patterns: string | string[] | undefined) => list(patterns).some((pattern) => like(pattern, resource));
  if (Resource === undefined ? named(NotResource) : !named(Resource)) return false;
  return Object.entries(Condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) =>
      holds(operator, context[key.toLowerCase()], list(wanted).map(String)),
    ),
  );
}

/** One condition. A key the request lacks fails it, unless the operator negates or ends in IfExists. */
function holds(operator: string, value: string | undefined, wanted: string[]): boolean {
  const name = operator.replace(/^For(Any|All)Values?:/, '').replace(/IfExists$/, '');
  if (name === 'Null') return wanted.includes(String(value === undefined));
  const negated = name.includes('Not');
  if (value === undefined) return negated || operator.endsWith('IfExists');
  const matches = wanted.some((pattern) => compare(name.replace('Not', ''), pattern, value));
  return matches !== negated;
}

function compare(operator: string, pattern: string, value: string): boolean {
  switch (operator) {
    case 'StringEquals':
      return pattern === value;
    case 'StringEqualsIgnoreCase':
    case 'Bool':
      return pattern.toLowerCase() === value.toLowerCase();
    case 'StringLike':
    case 'ArnLike':
    case 'ArnEquals':
      return like(pattern, value);
    case 'NumericLessThan':
      return Number(value) < Number(pattern);
    case 'NumericGreaterThanEquals':
      return Number(value) >= Number(pattern);
    default:
      return false;
  }
}

function like(pattern: string, value: string): boolean {
  const regex = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${regex}$`, 's').test(value);
}

function list<T>(value: T | T[] | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
