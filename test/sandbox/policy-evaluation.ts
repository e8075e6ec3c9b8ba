export interface Statement {
  Sid?: string;
  Effect: string;
  Principal?: string | Record<string, string | string[]>;
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, ConditionValue>>;
}

type ConditionValue = string | boolean | number | (string | boolean | number)[];

export interface PolicyDocument {
  Version?: string;
  Id?: string;
  Statement: Statement | Statement[];
}

/** Condition keys of a request. Keys are compared without case, as in IAM. */
export type RequestContext = Record<string, string | readonly string[]>;

export interface Question {
  action: string;
  resource: string;
  context: RequestContext;
}

export type Effect = 'allow' | 'explicit-deny' | 'implicit-deny';

export interface Decision {
  allowed: boolean;
  /** The message of AWS; empty if allowed. */
  message: string;
  /** True if a policy denies it, false if no policy allows it. */
  explicit?: boolean;
}

/** The effect of all policies together: one Deny overrides every Allow, and without an Allow the call is denied. */
export function effectOf(policies: readonly PolicyDocument[], question: Question): Effect {
  const context = lowerCased(question.context);
  let effect: Effect = 'implicit-deny';
  for (const policy of policies)
    for (const statement of listOf(policy.Statement)) {
      if (!isAbout(statement, question, context)) continue;
      if (statement.Effect === 'Deny') return 'explicit-deny';
      effect = 'allow';
    }
  return effect;
}

/** Identity policies, intersected with the session policy if the session has one. */
export function decide(
  principalArn: string,
  identity: readonly PolicyDocument[],
  session: PolicyDocument | undefined,
  question: Question,
): Decision {
  const { action, resource } = question;
  const refused = `User: ${principalArn} is not authorized to perform: ${action}${resource === '*' ? '' : ` on resource: ${resource}`}`;
  const byIdentity = effectOf(identity, question);
  const bySession = session ? effectOf([session], question) : 'allow';
  for (const [effect, kind] of [
    [byIdentity, 'an identity-based'],
    [bySession, 'a session'],
  ] as const)
    if (effect === 'explicit-deny')
      return { allowed: false, explicit: true, message: `${refused} with an explicit deny in ${kind} policy` };
  for (const [effect, kind] of [
    [byIdentity, 'identity-based'],
    [bySession, 'session'],
  ] as const)
    if (effect === 'implicit-deny')
      return { allowed: false, message: `${refused} because no ${kind} policy allows the ${action} action` };
  return { allowed: true, message: '' };
}

function isAbout(statement: Statement, { action, resource }: Question, context: RequestContext): boolean {
  const { Action, NotAction, Resource, NotResource } = statement;
  const lowerAction = action.toLowerCase();
  const names = (patterns: string | string[]) =>
    listOf(patterns).some((pattern) => like(pattern.toLowerCase(), lowerAction));
  if (Action !== undefined ? !names(Action) : NotAction === undefined || names(NotAction)) return false;
  const covers = (patterns: string | string[]) =>
    listOf(patterns).some((pattern) => like(withVariables(pattern, context), resource));
  // A trust policy has neither: it applies to its role.
  if (Resource !== undefined && !covers(Resource)) return false;
  if (NotResource !== undefined && covers(NotResource)) return false;
  return conditionsHold(statement, context);
}

/** @param context with keys in lower case */
function conditionsHold({ Condition = {} }: Statement, context: RequestContext): boolean {
  return Object.entries(Condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => {
      const patterns = listOf(wanted).map((pattern) => withVariables(String(pattern), context));
      return conditionHolds(operator, context[key.toLowerCase()], patterns);
    }),
  );
}

function conditionHolds(operator: string, value: string | readonly string[] | undefined, patterns: string[]): boolean {
  const [, quantifier, comparison = '', ifExists] =
    /^(?:(ForAnyValue|ForAllValues):)?(\w+?)(IfExists)?$/.exec(operator) ?? [];
  if (comparison === 'Null') return patterns.includes(String(value === undefined));
  const negated = comparison.includes('Not');
  const compare = comparisons[comparison.replace('Not', '')];
  if (!compare) throw new Error(`The sandbox cannot evaluate the condition operator ${operator}`);
  const satisfies = (one: string) => patterns.some((pattern) => compare(pattern, one)) !== negated;
  const values = value === undefined ? [] : typeof value === 'string' ? [value] : value;
  if (quantifier === 'ForAllValues') return values.every(satisfies);
  // A key that the request lacks fails the condition, unless the operator is a negation or ends in IfExists.
  if (value === undefined) return ifExists !== undefined || (negated && quantifier === undefined);
  return values.some(satisfies);
}

const comparisons: Record<string, ((pattern: string, value: string) => boolean) | undefined> = {
  StringEquals: (pattern, value) => pattern === value,
  StringEqualsIgnoreCase: (pattern, value) => pattern.toLowerCase() === value.toLowerCase(),
  StringLike: like,
  ArnEquals: likeArn,
  ArnLike: likeArn,
  Bool: (pattern, value) => pattern.toLowerCase() === value.toLowerCase(),
  NumericEquals: (pattern, value) => Number(value) === Number(pattern),
  NumericLessThan: (pattern, value) => Number(value) < Number(pattern),
  NumericLessThanEquals: (pattern, value) => Number(value) <= Number(pattern),
  NumericGreaterThan: (pattern, value) => Number(value) > Number(pattern),
  NumericGreaterThanEquals: (pattern, value) => Number(value) >= Number(pattern),
};

/** ARN operators compare each part, so that a `*` does not match a colon before the resource. */
function likeArn(pattern: string, value: string): boolean {
  const [patternParts, valueParts] = [arnParts(pattern), arnParts(value)];
  if (!patternParts || !valueParts) return pattern === '*';
  return patternParts.every((part, index) => like(part, valueParts[index] ?? ''));
}

function arnParts(arn: string): string[] | undefined {
  const parts = arn.split(':');
  return parts.length < 6 ? undefined : [...parts.slice(0, 5), parts.slice(5).join(':')];
}

const expressions = new Map<string, RegExp>();

function like(pattern: string, value: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === value;
  let expression = expressions.get(pattern);
  if (!expression) {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    expression = new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
    expressions.set(pattern, expression);
  }
  return expression.test(value);
}

/** `${aws:PrincipalTag/team}`; a variable that the request lacks leaves a text that matches nothing. */
function withVariables(pattern: string, context: RequestContext): string {
  return pattern.replaceAll(/\$\{([\w:/.-]+)\}/g, (variable, key: string) => {
    const value = context[key.toLowerCase()];
    return typeof value === 'string' ? value : variable;
  });
}

function lowerCased(context: RequestContext): RequestContext {
  return Object.fromEntries(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]));
}

export function listOf<T>(value: T | T[] | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
