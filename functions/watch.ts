import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { classify } from '../shared/errors/errors.ts';
import { now } from '../shared/platform/clock.ts';
import { watchRuns } from '../shared/step-runner/watch-runs.ts';
import { firstDelivery } from './steps/first-delivery.ts';

/** The steps that have a watch. */
export const watchedSteps = { [firstDelivery.name]: firstDelivery };

/** The scheduled event has the time of the schedule, which is more regular than the start of the function. */
const Tick = z.object({ time: z.string().transform((text) => Date.parse(text)) });

/** Time for looks that are still active when the tick stops, and for the search for dead runs. */
const reserveMs = 20_000;

/** Runs every minute. */
export const handler = middy()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(async (event, context: Pick<Context, 'getRemainingTimeInMillis'>) => {
    const tickAt = Tick.safeParse(event).data?.time ?? now();
    const untilMs = now() + context.getRemainingTimeInMillis() - reserveMs;
    await watchRuns(watchedSteps, tickAt, { concurrency: 40, lookMs: 10_000, untilMs });
  });
