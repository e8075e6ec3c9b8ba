import { listOf, type PolicyDocument, type Statement } from '../../policy-evaluation.ts';
import { AwsError } from '../../service.ts';

/** A policy as it was sent, and its parsed statements. */
export interface StoredPolicy {
  text: string;
  document: PolicyDocument;
}

const statementFields = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

export function malformed(message: string): AwsError {
  return new AwsError('MalformedPolicyDocumentException', message);
}

/** IAM does not count white space. */
export function policySize({ document }: StoredPolicy): number {
  return JSON.stringify(document).length;
}

/** An identity policy, validated as strictly as in IAM. */
export function readIdentityPolicy(text = ''): StoredPolicy {
  const document = parse(text, 'Syntax errors in policy.');
  for (const statement of listOf(document.Statement)) {
    checkStatement(statement);
    if (statement.Principal !== undefined) throw malformed('Policy document should not specify a principal.');
    const actions = [...listOf(statement.Action), ...listOf(statement.NotAction)];
    if (actions.length === 0) throw malformed('Policy statement must contain actions.');
    if (!actions.every((action) => /^(\*|[\w-]+:[\w*?]+)$/.test(action)))
      throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
    const resources = [...listOf(statement.Resource), ...listOf(statement.NotResource)];
    if (resources.length === 0) throw malformed('Policy statement must contain resources.');
    for (const resource of resources)
      if (resource !== '*' && !/^arn:[^:]*:[^:]*:[^:]*:[^:]*:.+/.test(resource))
        throw malformed(`Resource ${resource} must be in ARN format or "*".`);
  }
  return { text, document };
}

/** A trust policy, validated without checking whether its principals exist. */
export function readTrustPolicy(text = ''): StoredPolicy {
  const document = parse(text, 'This policy contains invalid Json');
  for (const statement of listOf(document.Statement)) {
    checkStatement(statement);
    if (statement.Principal === undefined) throw malformed('Missing required field Principal');
    if (statement.Resource !== undefined || statement.NotResource !== undefined)
      throw malformed('Has prohibited field Resource');
    const actions = [...listOf(statement.Action), ...listOf(statement.NotAction)];
    if (actions.length === 0) throw malformed('Missing required field Action');
    if (!actions.every((action) => /^sts:/i.test(action)))
      throw malformed('AssumeRole policy may only specify STS AssumeRole actions.');
  }
  return { text, document };
}

function parse(text: string, syntaxError: string): PolicyDocument {
  let document: PolicyDocument | undefined;
  try {
    document = JSON.parse(text) as PolicyDocument;
  } catch {
    throw malformed(syntaxError);
  }
  if (typeof document !== 'object' || Array.isArray(document)) throw malformed(syntaxError);
  const { Version } = document;
  if (Version !== undefined && Version !== '2012-10-17' && Version !== '2008-10-17') throw malformed(syntaxError);
  const statements = listOf((document as Partial<PolicyDocument>).Statement);
  if (statements.length === 0) throw malformed('Missing required field Statement');
  const sids = statements.map(({ Sid }) => Sid).filter((sid) => sid !== undefined);
  if (new Set(sids).size < sids.length) throw malformed('Statement IDs (SID) in a single policy must be unique.');
  return document;
}

function checkStatement(statement: Statement): void {
  const unknown = Object.keys(statement).find((field) => !statementFields.includes(field));
  if (unknown !== undefined) throw malformed(`Syntax error: unknown field ${unknown}`);
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') throw malformed('Missing required field Effect');
  if (statement.Sid !== undefined && !/^[0-9A-Za-z]*$/.test(statement.Sid))
    throw malformed(
      'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*',
    );
}

export function checkName(member: string, value: string | undefined, longest: number): asserts value is string {
  if (value === undefined || value === '') throw invalid(member, 'Member must not be null');
  if (value.length > longest) throw invalid(member, `Member must have length less than or equal to ${longest}`);
  if (!/^[\w+=,.@-]+$/.test(value))
    throw new AwsError(
      'ValidationError',
      `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-`,
    );
}

export function checkPath(path: string): void {
  if (path.length > 512 || !/^\/([\x21-\x7e]+\/)?$/.test(path))
    throw new AwsError(
      'ValidationError',
      'The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.',
    );
}

export function invalid(member: string, constraint: string): AwsError {
  return new AwsError(
    'ValidationError',
    `1 validation error detected: Value at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}
