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

/** IAM answers URL-encoded JSON, S3 plain JSON; a document with one statement may hold it bare. */
export function decodePolicy(text: string): PolicyDocument {
  const parsed = JSON.parse(text.startsWith('%7B') ? decodeURIComponent(text) : text) as {
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

/** True if both say the same: order, one-item lists and the spelling of an account principal do not matter. */
export function samePolicy(a: PolicyDocument, b: PolicyDocument): boolean {
  return JSON.stringify(canonicalDocument(a)) === JSON.stringify(canonicalDocument(b));
}

export function sameStatement(a: Statement, b: Statement): boolean {
  return JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));
}

/** Replaces the statements that carry our Sids, adds the missing ones, and leaves everybody else's where they are. */
export function mergeStatements(existing: PolicyDocument | undefined, ours: readonly Statement[]): PolicyDocument {
  const kept = existing?.Statement ?? [];
  const bySid = new Map(ours.map((statement) => [statement.Sid, statement]));
  const replaced = kept.map((statement) => (statement.Sid ? (bySid.get(statement.Sid) ?? statement) : statement));
  const present = new Set(kept.map(({ Sid }) => Sid));
  return { Version: '2012-10-17', Statement: [...replaced, ...ours.filter(({ Sid }) => !present.has(Sid))] };
}

export function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

function canonicalDocument({ Statement: statements }: PolicyDocument): unknown {
  return statements.map((statement) => JSON.stringify(canonical(statement))).sort();
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(canonical);
    return items.length === 1 ? items[0] : items.map((item) => JSON.stringify(item)).sort();
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => [key, canonical(item)] as const);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  if (typeof value === 'string') return value.replace(/^arn:aws:iam::(\d{12}):root$/, '$1');
  return typeof value === 'boolean' || typeof value === 'number' ? String(value) : value;
}
