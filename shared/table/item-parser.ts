import * as z from 'zod';
import { TerminalError } from '../errors/errors.ts';
import { log } from '../platform/logger.ts';

/** An item as DynamoDB answers it. */
export type Attributes = Record<string, unknown>;

/** Enough to find the damage; a log line has 256 kB (CloudWatch Logs quotas). */
const shownIssues = 3;

/** The schema for items without the attributes that only place them in the table and its indexes. */
export function withoutKeys<Value>(names: readonly string[], schema: z.ZodType<Value>): z.ZodType<Value> {
  const isKey = (name: string) => names.includes(name);
  return z.preprocess(
    (item: object) => Object.fromEntries(Object.entries(item).filter(([name]) => !isKey(name))),
    schema,
  );
}

/** The schema for an attribute that holds JSON as text. */
export function jsonText<Value>(schema: z.ZodType<Value>): z.ZodType<Value> {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'must be JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** @throws TerminalError record-unreadable, with the item's key and the fields that are wrong, never their values */
export function parseItem<Value>(schema: z.ZodType<Value>, item: Attributes): Value {
  const parsed = schema.safeParse(item);
  if (parsed.success) return parsed.data;
  throw new TerminalError(
    'record-unreadable',
    `The table's item ${nameOf(item)} cannot be read: ${problemOf(parsed.error)}`,
  );
}

/** The items that can be read. Each of the others only gets a log line, because one item must not break a list. */
export function parseReadable<Value>(schema: z.ZodType<Value>, items: readonly Attributes[]): Value[] {
  return items.flatMap((item) => {
    const parsed = schema.safeParse(item);
    if (parsed.success) return [parsed.data];
    log('item skipped', { item: nameOf(item), detail: problemOf(parsed.error) });
    return [];
  });
}

function nameOf({ pk, sk }: Attributes): string {
  return `${String(pk)} ${String(sk)}`;
}

function problemOf({ issues }: z.ZodError): string {
  return issues
    .slice(0, shownIssues)
    .map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('; ');
}
