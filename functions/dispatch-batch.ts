import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { dispatch } from '../shared/batches/dispatch.ts';
import { classify } from '../shared/errors/errors.ts';
import { now } from '../shared/platform/clock.ts';

/** An event of a run that has ended or waits for hours, so that another run of its batch can take its place. */
const PlaceLeft = z.object({ detail: z.object({ batchId: z.string() }) });

/** Time for calls that are still active when the dispatch stops. */
const reserveMs = 15_000;

export const handler = middy()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(async (event, context: Pick<Context, 'getRemainingTimeInMillis'>) => {
    await dispatch(PlaceLeft.parse(event).detail.batchId, now() + context.getRemainingTimeInMillis() - reserveMs);
  });
