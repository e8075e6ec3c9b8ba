import * as z from 'zod';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';

export const route = {
  method: 'GET',
  path: '/health',
  operationId: 'getHealth',
  summary: 'Check that the API is available',
  open: true,
  responses: {
    200: { description: 'The API is available', schema: z.object({ status: z.literal('ok') }).meta({ id: 'Health' }) },
  },
  refusals: [],
} as const satisfies Route;

export const handler = apiHandler(route, () => ({ status: 200, body: { status: 'ok' } }));
