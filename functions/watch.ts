import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { deliveryWatch } from '../shared/billing/delivery-watch.ts';
import { classify } from '../shared/errors/errors.ts';
import { now } from '../shared/platform/clock.ts';
import { watchRuns } from '../shared/step-runner/watch-runs.ts';
import type { Watches } from '../shared/step-runner/watch-waits.ts';

/** The watches of the steps that have one: not the steps themselves, which would make the bundle twice as large. */
export const watches: Watches = { 'first-delivery': deliveryWatch };

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
    await watchRuns(watches, tickAt, { concurrency: 40, lookMs: 10_000, untilMs });
  });
