import type { PlanSummary, RunPlan } from '../model/plan-schemas.ts';
import type { AnyRun } from '../model/run.ts';
import { type StepName, stepNamesOf } from '../model/step-names.ts';
import { parseOutput } from '../model/steps-and-outputs.ts';
import { awaitsDelivery, plannedCost } from './dry-run-cost.ts';

/** The plan of a dry run so far, from its record alone. Null for any other run. */
export function planOf(run: AnyRun): RunPlan | null {
  if (!run.request.dryRun) return null;
  const steps = stepNamesOf[run.kind].flatMap((name) => {
    const record = run.steps[name];
    return record?.preview ? [{ name, ...record, ...record.preview }] : [];
  });
  return {
    changes: steps.flatMap(({ name, summary, changes }) =>
      changes.map(({ do: action, resource, note }) => ({
        step: name,
        do: action,
        resource,
        why: note === undefined ? summary : `${summary.replace(/\.$/, '')}: ${note}`,
      })),
    ),
    refusals: steps.flatMap(({ refusals }) => refusals),
    notVisible: steps
      .filter(({ status }) => status === 'not-visible')
      .map(({ name, summary, warnings }) => ({ step: name, willCheck: summary, why: warnings.join('; ') })),
    quotas: steps.flatMap(({ quotas }) => quotas),
    usd: plannedCost(run),
    expectedMinutes: expectedMinutes(run),
  };
}

/** Undefined unless the run is a dry run. */
export function planSummaryOf(run: AnyRun): PlanSummary | undefined {
  const plan = planOf(run);
  if (!plan) return undefined;
  const { changes, refusals, notVisible, usd, expectedMinutes } = plan;
  return {
    changes: changes.length,
    refusals: refusals
      .filter(({ code }, index) => refusals.findIndex((other) => other.code === code) === index)
      .map(({ code, step, actor, remedy }) => ({ code, step, actor, remedy })),
    notVisible: notVisible.map(({ step }) => step),
    usd: { once: usd.once, perMonth: usd.perMonth },
    expectedMinutes,
  };
}

/** AWS delivers within a day (CUR User Guide, "Creating reports"). */
const deliveryMinutes = 24 * 60;
/** Most steps take seconds. A stack and a crawl take some minutes, which depend on AWS. */
const fewMinutes = 5;

function expectedMinutes(run: AnyRun): number | null {
  if (run.kind === 'offboarding') return 2 * fewMinutes;
  const isMade = (name: StepName) => run.steps[name]?.status !== 'succeeded';
  if (!run.steps['report-choice']?.output) return null;
  const isCrawled = parseOutput('crawler-stack', run.steps['crawler-stack']?.output)?.kind !== 'none';
  const pieces = isCrawled ? (['crawler-stack', 'crawler-table'] as const).filter(isMade) : [];
  return (1 + pieces.length) * fewMinutes + (awaitsDelivery(run) ? deliveryMinutes : 0);
}
