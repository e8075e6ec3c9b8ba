import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { dispatch } from '../shared/batches/dispatch.ts';
import { classify } from '../shared/errors/errors.ts';
import { now } from '../shared/platform/clock.ts';

/** A transition of a batch's run that leaves its place to another one, from the event bus. */
const PlaceLeft = z.object({ detail: z.object({ batchId: z.string() }) });

/** Left for what had begun when the time was up. */
const reserveMs = 15_000;

export const handler = middy()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(async (event, context: Pick<Context, 'getRemainingTimeInMillis'>) => {
    await dispatch(PlaceLeft.parse(event).detail.batchId, now() + context.getRemainingTimeInMillis() - reserveMs);
  });
