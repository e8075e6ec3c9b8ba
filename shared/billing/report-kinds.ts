import { TerminalError } from '../errors/errors.ts';
import { legacyCur } from './legacy-cur/legacy-cur.ts';
import type { ReportKind, ReportPlace } from './report-kind.ts';

/** Every kind of report. A new report is of the first kind. */
export const reportKinds: ReportKind[] = [legacyCur];

/** @throws TerminalError if a later release has stored the name of a kind that this one does not know */
export function reportKindOf({ reportKind }: Pick<ReportPlace, 'reportKind'>): ReportKind {
  const kind = reportKind === undefined ? reportKinds[0] : reportKinds.find(({ name }) => name === reportKind);
  if (!kind) throw new TerminalError('unexpected', `this release does not know the report kind ${reportKind ?? ''}`);
  return kind;
}
