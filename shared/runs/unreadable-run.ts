import { classify, type KnownError } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { runErrorOf } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { updateItem } from '../table/document-table.ts';
import { readRun, readRunHead, runKey } from './run-table.ts';
import { statusWrites, whileActive } from './run-table-update.ts';

/** The run, or why its record cannot be read. */
export async function tryReadRun(runId: string): Promise<{ run: AnyRun | undefined } | { unreadable: KnownError }> {
  try {
    return { run: await readRun(runId) };
  } catch (thrown) {
    const error = classify(thrown);
    if (error.code !== 'record-unreadable') throw error;
    return { unreadable: error };
  }
}

/**
 * Ends a run whose record cannot be read, attribute by attribute, so that the rest stays for its repair. The next run for its payer and
 * target takes over its lock, and the sweeper closes its admin window. No event is published for this end.
 * @param attempt that failed; absent: the current one
 * @throws TerminalError record-unreadable if not even status and attempt can be read
 */
export async function failUnreadableRun(runId: string, error: KnownError, attempt?: number): Promise<void> {
  const head = await readRunHead(runId);
  if (!head) return;
  const ended = await updateItem(
    runKey(runId),
    [
      ...statusWrites(head, 'failed'),
      { at: 'endedAt', to: iso(now()) },
      { at: 'error', to: runErrorOf(error, null) },
      { at: 'atWorkKey', to: undefined },
    ],
    whileActive(attempt ?? head.attempt),
  );
  if (ended) log('run ended', { runId, step: 'close', status: 'failed', code: error.code, detail: error.message });
}
