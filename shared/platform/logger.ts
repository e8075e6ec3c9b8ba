import { iso, now } from './clock.ts';

export type LogFields = Record<string, string | number | boolean | undefined>;

/** One JSON line per fact. Values are scalars by type, so that no event, document or credential is logged. */
export function log(message: string, fields: LogFields): void {
  process.stdout.write(`${JSON.stringify({ time: iso(now()), message, ...fields })}\n`);
}
