import { type Outputs, outputs } from '../../shared/model/steps-and-outputs.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import type { World } from '../sandbox/index.ts';
import type { MeasuredRun } from './measure.ts';

const second = 1000;

/**
 * The time that AWS itself needs between the first delivery and a proven secret: the crawler's stack and the crawl, the new
 * policy's propagation, and the parallel smoke queries. Undefined for runs whose report existed before.
 */
export function delaysAfterDelivery(world: World, run: Run): MeasuredRun['waiting'] {
  const delivery = outputOf(run, 'first-delivery');
  const published = stepOf(run, 'publish')?.endedAt;
  if (!delivery || !published || stepOf(run, 'cur-report')?.changes.length === 0) return undefined;
  const detected = Date.parse(delivery.detectedAt);
  const criticalPath = stackAndCrawlMs(world, run) + world.iam.propagationMs + longestQueryMs(world, run);
  const toSecret = Date.parse(published) - detected;
  return {
    lagMinutes: (detected - Date.parse(delivery.deliveredAt)) / (60 * second),
    toSecretSeconds: toSecret / second,
    criticalPathSeconds: criticalPath / second,
    ratio: toSecret / criticalPath,
  };
}

function stepOf(run: Run, name: keyof Outputs): Run['steps'][number] | undefined {
  return run.steps.find((step) => step.name === name);
}

export function outputOf<Name extends keyof Outputs>(run: Run, name: Name): Outputs[Name] | undefined {
  return outputs[name].safeParse(stepOf(run, name)?.output).data as Outputs[Name] | undefined;
}

/** The stack and the crawl: they overlap if the stack starts the crawler, else they follow each other. */
function stackAndCrawlMs(world: World, run: Run): number {
  const { stackId, crawlerName } = outputOf(run, 'crawler-stack') ?? {};
  const stack = world.cloudformation.stacks.get(stackId ?? '');
  if (!stack) return 0;
  const crawler = world.glue.catalog(stack.accountId, stack.region).crawlers.get(crawlerName ?? '');
  const crawlMs = (crawler?.lastRuntimeSeconds ?? 0) * second;
  const crawlStart = crawler?.lastCrawl?.StartTime?.getTime() ?? stack.updatedAt;
  const stackMs = stack.updatedAt - stack.createdAt;
  return crawlStart >= stack.updatedAt
    ? stackMs + crawlMs
    : Math.max(stack.updatedAt, crawlStart + crawlMs) - stack.createdAt;
}

function longestQueryMs(world: World, run: Run): number {
  const ids = outputOf(run, 'smoke-query')?.queryExecutionIds ?? [];
  return Math.max(0, ...ids.map((id) => world.athena.queries.get(id)?.duration ?? 0));
}
