/** IAM policy documents as data: read, compared by meaning, merged by Sid. */
export interface Statement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Principal?: '*' | Record<string, string | string[]>;
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

export interface PolicyDocument {
  Version: string;
  Statement: Statement[];
}

export function policyOf(...statements: Statement[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: statements };
}

/** IAM returns URL-encoded JSON, S3 plain JSON; a single statement may be no list. The default version is that of 2008. */
export function decodePolicy(text: string): PolicyDocument {
  const parsed = JSON.parse(text.startsWith('%') ? decodeURIComponent(text) : text) as {
    Version?: string;
    Statement?: Statement | Statement[];
  };
  const statements = parsed.Statement ?? [];
  return { Version: parsed.Version ?? '2008-10-17', Statement: Array.isArray(statements) ? statements : [statements] };
}

/** IAM counts characters without white space. */
export function policyCharacters(document: PolicyDocument): number {
  return JSON.stringify(document).length;
}

/** True if both mean the same: order, repeats, one-item lists and the spelling of a principal do not matter. */
export function samePolicy(a: PolicyDocument, b: PolicyDocument): boolean {
  return JSON.stringify(canonicalDocument(a)) === JSON.stringify(canonicalDocument(b));
}

/**
 * Replaces the statements with our Sids, adds the missing ones, and leaves all others in their place. The version stays, because another
 * version would change the meaning of `${...}` in the others.
 */
export function mergeStatements(existing: PolicyDocument | undefined, ours: readonly Statement[]): PolicyDocument {
  const kept = existing?.Statement ?? [];
  const bySid = new Map(ours.map((statement) => [statement.Sid, statement]));
  const replaced = kept.map((statement) => (statement.Sid ? (bySid.get(statement.Sid) ?? statement) : statement));
  const present = new Set(kept.map(({ Sid }) => Sid));
  return {
    Version: existing?.Version ?? '2012-10-17',
    Statement: [...replaced, ...ours.filter(({ Sid }) => !present.has(Sid))],
  };
}

export function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

function canonicalDocument({ Version, Statement: statements }: PolicyDocument): unknown {
  const texts = [...new Set(statements.map(canonicalStatement))].sort();
  // The version decides about policy variables and nothing else.
  return texts.some((text) => text.includes('${')) ? [Version, ...texts] : texts;
}

function canonicalStatement(statement: Statement): string {
  const principals = Object.entries(statement).map(([key, value]: [string, unknown]) => [
    key,
    key === 'Principal' || key === 'NotPrincipal' ? canonicalPrincipal(value) : value,
  ]);
  return JSON.stringify(canonical(Object.fromEntries(principals)));
}

/** AWS returns an account as its root user, and `*` as `{"AWS": "*"}`. */
function canonicalPrincipal(principal: unknown): unknown {
  if (principal === '*') return { AWS: '*' };
  const { AWS: accounts, ...others } = principal as Record<string, string | string[]>;
  if (accounts === undefined) return others;
  return { ...others, AWS: listOf(accounts).map((name) => name.replace(/^arn:aws[a-z-]*:iam::(\d{12}):root$/, '$1')) };
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = [...new Set(value.map((item) => JSON.stringify(canonical(item))))].sort();
    return items.length === 1 ? JSON.parse(items[0] ?? '') : items;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => [key, canonical(item)] as const);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  return typeof value === 'boolean' || typeof value === 'number' ? String(value) : value;
}
