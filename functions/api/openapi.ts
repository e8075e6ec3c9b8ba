import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';

export const route = {
  method: 'GET',
  path: '/openapi.json',
  operationId: 'getOpenapi',
  summary: 'Read the OpenAPI 3.1 document of this API',
  responses: { 200: { description: 'The document', contentType: 'application/json' } },
  refusals: [],
} as const satisfies Route;

export const handler = apiHandler(route, async () => {
  // Imported on request only: the generator that writes the file loads this module.
  const { default: document } = await import('../../docs/openapi.json', { with: { type: 'json' } });
  return { status: 200, body: JSON.stringify(document) };
});
