import { assumptions, prices } from '../model/aws-prices.ts';
import type { CostLine, PlannedCost } from '../model/plan-schemas.ts';
import type { AnyRun, RunRecord } from '../model/run.ts';
import type { StepName } from '../model/step-names.ts';
import { parseOutput } from '../model/steps-and-outputs.ts';

/** Usage of a run without a long wait, measured by `npm run bench` and rounded up. */
const work = {
  onboarding: { transitions: 110, invocations: 45, tableWrites: 170 },
  offboarding: { transitions: 60, invocations: 25, tableWrites: 90 },
} as const;
/** What the wait for the first delivery adds, however long it is: the watcher looks meanwhile, and calls the step back. */
const deliveryWait = { transitions: 12, invocations: 6, tableWrites: 14 } as const;

export function plannedCost(run: AnyRun): PlannedCost {
  const lines = [...orchestration(run), ...(run.kind === 'onboarding' ? onboardingLines(run) : offboardingLines(run))];
  return { once: sumOf(lines, 'run'), perMonth: sumOf(lines, 'month'), lines };
}

/** True unless the run has seen the first delivery of the report. */
export function awaitsDelivery({ steps }: Pick<AnyRun, 'steps'>): boolean {
  return steps['first-delivery']?.status !== 'succeeded';
}

function orchestration(run: AnyRun): CostLine[] {
  const waits = run.kind === 'onboarding' && awaitsDelivery(run);
  const total = (unit: keyof typeof deliveryWait) => work[run.kind][unit] + (waits ? deliveryWait[unit] : 0);
  const transitions = total('transitions');
  const invocations = total('invocations');
  const tableWrites = total('tableWrites');
  const { lambdaMilliseconds, lambdaGb, tableWriteUnits } = assumptions;
  const gbSeconds = (invocations * lambdaMilliseconds * lambdaGb) / 1000;
  return [
    line(
      'Step Functions',
      'run',
      transitions * prices.stateTransition,
      `${transitions} state transitions${waits ? ', however long the first delivery takes' : ''}`,
    ),
    line(
      'Lambda',
      'run',
      invocations * prices.lambdaRequest + gbSeconds * prices.lambdaGbSecond,
      `${invocations} invocations of ${lambdaMilliseconds} ms with ${lambdaGb} GB`,
    ),
    line(
      'DynamoDB',
      'run',
      tableWrites * tableWriteUnits * prices.dynamoWriteUnit,
      `${tableWrites} writes of ${tableWriteUnits} units`,
    ),
  ];
}

/** A resource that cannot be seen yet is assumed to be created. */
function onboardingLines({ request, steps }: RunRecord): CostLine[] {
  const isPlanned = (name: StepName) => steps[name]?.status !== 'succeeded';
  const choice = parseOutput('report-choice', steps['report-choice']?.output)?.choice;
  const isCreated = choice !== 'adopt' && isPlanned('cur-report');
  const mayCrawl = request.crawler !== 'none' && request.crawler !== 'native';
  const hasCrawler = mayCrawl && parseOutput('crawler-stack', steps['crawler-stack']?.output)?.kind !== 'none';
  return [
    ...(hasCrawler && isPlanned('crawler-table') ? [crawls(1, 'run')] : []),
    queries(2, 'run', 'the two queries of the smoke query step'),
    ...(hasCrawler && isPlanned('crawler-stack') ? [crawls(assumptions.crawlsPerMonth, 'month')] : []),
    ...(isCreated ? [storage(1)] : []),
    ...(isPlanned('publish')
      ? [queries(assumptions.queriesPerMonth, 'month', 'the consumer queries every six hours')]
      : []),
  ];
}

function offboardingLines({ request, steps }: RunRecord<'offboarding'>): CostLine[] {
  const plans = (name: StepName) => (steps[name]?.changes ?? []).length > 0;
  const endsCrawls = steps['remove-crawler-stack']?.changes.some((change) => !change.do.startsWith('delete-own-'));
  return [
    ...(endsCrawls ? [crawls(-assumptions.crawlsPerMonth, 'month')] : []),
    ...(plans('remove-report') && request.purge.includes('data') ? [storage(-1)] : []),
    ...(plans('remove-entry')
      ? [queries(-assumptions.queriesPerMonth, 'month', 'the consumer queried every six hours')]
      : []),
  ];
}

function crawls(count: number, per: CostLine['per']): CostLine {
  const { glueCrawlHours, glueCrawlDpus, glueDpuHour } = prices;
  return line(
    'Glue crawler',
    per,
    count * glueCrawlHours * glueCrawlDpus * glueDpuHour,
    `${counted(Math.abs(count), 'crawl')} of ten minutes on two DPUs, one for each delivery`,
  );
}

function storage(sign: 1 | -1): CostLine {
  const { reportGb } = assumptions;
  return line(
    'S3, the report',
    'month',
    sign * reportGb * prices.s3GbMonth,
    `${reportGb} GB stored; it grows every month`,
  );
}

function queries(count: number, per: CostLine['per'], reason: string): CostLine {
  const { scannedBytesPerQuery } = assumptions;
  const bytes = Math.max(scannedBytesPerQuery, prices.athenaMinimumBytes);
  const megabytes = scannedBytesPerQuery / 1_000_000;
  return line(
    'Athena',
    per,
    count * (bytes / 1e12) * prices.athenaTbScanned,
    `${counted(Math.abs(count), 'query', 'queries')} over ${megabytes} MB: ${reason}`,
  );
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

function line(what: string, per: CostLine['per'], usd: number, assumption: string): CostLine {
  return { what, usd: rounded(usd), per, assumption };
}

function sumOf(lines: readonly CostLine[], per: CostLine['per']): number {
  return rounded(lines.reduce((sum, next) => sum + (next.per === per ? next.usd : 0), 0));
}

/** To a millionth of a dollar: the smallest line is about ten of these. */
function rounded(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}
