import {
  type Effect,
  effectOf,
  listOf,
  type PolicyDocument,
  type Question,
  type Statement,
} from '../../policy-evaluation.ts';
import { AwsError, type Caller } from '../../service.ts';
import type { Bucket } from './state.ts';

const overTls = { 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.3' };

export function accessDenied(message = 'Access Denied'): AwsError {
  return new AwsError('AccessDenied', message, 403);
}

/** The effect of the bucket's policy on a caller: a denial applies to everybody, and other accounts need an explicit permission. */
export function refusedByBucketPolicy(bucket: Bucket, caller: Caller, action: string, resource: string): boolean {
  const context = {
    ...overTls,
    'aws:PrincipalArn': caller.roleArn ?? caller.arn,
    'aws:PrincipalAccount': caller.accountId,
    'aws:ResourceAccount': bucket.accountId,
  };
  const effect = effectOn(bucket, (statement) => namesCaller(statement, caller), { action, resource, context });
  return effect === 'explicit-deny' || (caller.accountId !== bucket.accountId && effect !== 'allow');
}

interface ActingService {
  name: string;
  /** Of the service itself: older policies name it. */
  accountId: string;
}

/** Whether an AWS service may perform the action on the bucket. @param source the condition keys of the resource it acts for */
export function allowsService(
  bucket: Bucket,
  service: ActingService,
  action: string,
  resource: string,
  source: Record<string, string>,
): boolean {
  const { name, accountId } = service;
  const context = { ...overTls, ...source, 'aws:PrincipalServiceName': name, 'aws:PrincipalIsAWSService': 'true' };
  const accounts = ['*', accountId, `arn:aws:iam::${accountId}:root`];
  const names = (statement: Statement) =>
    statement.Principal === '*' ||
    principals(statement, 'Service').includes(name) ||
    principals(statement, 'AWS').some((principal) => accounts.includes(principal));
  return effectOn(bucket, names, { action, resource, context }) === 'allow';
}

function effectOn({ policy }: Bucket, names: (statement: Statement) => boolean, question: Question): Effect {
  const statements = policy ? parse(policy.text).filter(names) : [];
  return effectOf([{ Statement: statements }], question);
}

export function checkBucketPolicy(text: string, bucket: Bucket): void {
  for (const statement of parse(text)) {
    if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') throw malformed('Invalid effect in policy');
    if (statement.Principal === undefined) throw malformed('Missing required field Principal');
    const actions = [...listOf(statement.Action), ...listOf(statement.NotAction)];
    if (actions.length === 0) throw malformed('Missing required field Action');
    if (!actions.every((action) => /^(\*|s3:[\w*?]+)$/i.test(action))) throw malformed('Policy has invalid action');
    const arn = `arn:aws:s3:::${bucket.name}`;
    const resources = [...listOf(statement.Resource), ...listOf(statement.NotResource)];
    if (resources.length === 0) throw malformed('Missing required field Resource');
    if (!resources.every((resource) => resource === arn || resource.startsWith(`${arn}/`)))
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
  let policy: Partial<PolicyDocument>;
  try {
    policy = JSON.parse(text) as typeof policy;
  } catch {
    throw malformed("Policies must be valid JSON and the first byte must be '{'");
  }
  if (policy.Version !== undefined && !['2012-10-17', '2008-10-17'].includes(policy.Version))
    throw malformed('The policy must contain a valid version string');
  if (policy.Statement === undefined) throw malformed('Missing required field Statement');
  return listOf(policy.Statement);
}

function principals({ Principal }: Statement, kind: string): string[] {
  return typeof Principal === 'object' ? listOf(Principal[kind]) : [];
}

function namesCaller(statement: Statement, { accountId, arn, roleArn }: Caller): boolean {
  if (statement.Principal === '*') return true;
  const selves = ['*', accountId, `arn:aws:iam::${accountId}:root`, arn, roleArn];
  return principals(statement, 'AWS').some((principal) => selves.includes(principal));
}
