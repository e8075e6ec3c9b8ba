import type { Run } from '../../shared/runs/api-view.ts';
import { sentenceOf } from '../../shared/step/change-sentence.ts';

type StepView = Run['steps'][number];

/** `1d 07:30:05` since the start of the demo. */
export function elapsed(fromMs: number, atMs: number): string {
  const seconds = Math.max(0, Math.round((atMs - fromMs) / 1000));
  const [days, rest] = [Math.floor(seconds / 86_400), seconds % 86_400];
  const clock = [rest / 3600, (rest % 3600) / 60, rest % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':');
  return `${days}d ${clock}`;
}

/** The changes of a run since it was last shown: one line for each step with a new status. */
export function progressLines(before: Run | undefined, after: Run, fromMs: number): string[] {
  const known = new Map(before?.steps.map((step) => [step.name, step]));
  const moved = after.steps.filter(
    (step) => stateOf(step) !== stateOf(known.get(step.name)) && !['pending', 'skipped'].includes(step.status),
  );
  return moved.map((step) => {
    const at = Date.parse(step.endedAt ?? step.waiting?.since ?? step.startedAt ?? after.createdAt);
    const percent = `${after.progress.percent}%`.padStart(4);
    return `${elapsed(fromMs, at)}  ${after.request.payerAccountId} ${percent}  ${step.name.padEnd(15)} ${describe(step)}`;
  });
}

function stateOf(step: StepView | undefined): string {
  return `${step?.status ?? 'pending'} ${step?.waiting?.for ?? ''}`;
}

function describe(step: StepView): string {
  if (step.error) return `${step.status}: ${step.error.code}: ${step.error.message}`;
  if (step.waiting) return `waits for ${step.waiting.for}`;
  if (step.status !== 'succeeded') return step.status;
  const status = step.output?.connectionStatus;
  if (typeof status === 'string') return `Kubecost reports: ${status}`;
  const changes = step.changes.map(({ do: action, resource, note }) =>
    sentenceOf({ action, resource: shortened(resource), note }),
  );
  return changes.length === 0 ? 'nothing to change' : changes.join(', ');
}

function shortened(resource: string): string {
  return resource.replace(/^arn:aws:[^:]*:[^:]*:\d*:/, '');
}

export interface TimelineRow {
  runId: string;
  payerAccountId: string;
  step: string;
  startedAt: string;
  endedAt: string;
  /** True if the step ran while this run waited for AWS's first delivery. */
  duringTheWait: boolean;
}

export function timelineOf(run: Run): TimelineRow[] {
  const wait = run.steps.find(({ name }) => name === 'first-delivery');
  return run.steps.flatMap((step) => {
    if (!step.startedAt || !step.endedAt) return [];
    const overlaps =
      wait?.startedAt &&
      wait.endedAt &&
      step !== wait &&
      step.endedAt > wait.startedAt &&
      step.startedAt < wait.endedAt;
    return [
      {
        runId: run.runId,
        payerAccountId: run.request.payerAccountId,
        step: step.name,
        startedAt: step.startedAt,
        endedAt: step.endedAt,
        duringTheWait: Boolean(overlaps),
      },
    ];
  });
}

/** One line for each step: its start, its duration, and whether it ran while AWS prepared the delivery. */
export function timelineText(rows: readonly TimelineRow[], fromMs: number): string[] {
  return rows
    .toSorted((a, b) => a.startedAt.localeCompare(b.startedAt))
    .map(({ step, startedAt, endedAt, duringTheWait }) => {
      const begin = Date.parse(startedAt);
      const mark = step === 'first-delivery' ? '====' : duringTheWait ? '  ||' : '    ';
      return `  ${mark} ${step.padEnd(15)} from ${elapsed(fromMs, begin)}  took ${elapsed(begin, Date.parse(endedAt))}`;
    });
}
