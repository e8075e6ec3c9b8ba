import { listOf, type PolicyDocument, type Statement } from './policy-document.ts';

/** A request that a trust policy allows or not. */
export interface Assumption {
  principal: { AWS: string } | { Service: string } | { Federated: string };
  action: string;
  context?: Record<string, string>;
}

/** Evaluates a trust policy as STS does, from the document alone: an allow and no deny. */
export function trusts(trust: PolicyDocument, assumption: Assumption): boolean {
  return decides(trust, (statement) => namesPrincipal(statement, assumption), assumption);
}

/** The same for a policy of the caller. */
export function permits(policy: PolicyDocument, action: string, resource: string): boolean {
  return decides(policy, (statement) => listOf(statement.Resource).some((pattern) => like(pattern, resource)), {
    action,
  });
}

function decides(
  { Statement: statements }: PolicyDocument,
  concerns: (statement: Statement) => boolean,
  { action, context = {} }: Pick<Assumption, 'action' | 'context'>,
): boolean {
  const applying = statements.filter(
    (statement) =>
      listOf(statement.Action).some((pattern) => like(pattern.toLowerCase(), action.toLowerCase())) &&
      concerns(statement) &&
      isMet(statement.Condition ?? {}, context),
  );
  return applying.length > 0 && applying.every(({ Effect }) => Effect === 'Allow');
}

function namesPrincipal({ Principal }: Statement, { principal }: Assumption): boolean {
  if (Principal === undefined) return false;
  if (Principal === '*') return true;
  const [[kind, value] = ['', '']] = Object.entries<string>(principal);
  const account = value.split(':')[4];
  return listOf(Principal[kind]).some(
    (named) =>
      named === '*' ||
      named === value ||
      (kind === 'AWS' && (named === account || named === `arn:aws:iam::${account ?? ''}:root`)),
  );
}

const exact = (wanted: string, actual: string) => wanted === actual;
const operators: Record<string, (wanted: string, actual: string) => boolean> = {
  StringEquals: exact,
  StringLike: like,
  ArnEquals: like,
  ArnLike: like,
};

/** A condition on an unknown key is not met. */
function isMet(condition: NonNullable<Statement['Condition']>, context: Record<string, string>): boolean {
  const known = new Map(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]));
  return Object.entries(condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => {
      const actual = known.get(key.toLowerCase());
      const matches = operators[operator];
      return actual !== undefined && matches !== undefined && listOf(wanted).some((one) => matches(one, actual));
    }),
  );
}

/** IAM's wildcards: `*` any characters, `?` one. */
function like(pattern: string, actual: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`, 's').test(actual);
}
