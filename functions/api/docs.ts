import { docsPage } from '../../shared/api-document/docs-page.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';

export const route = {
  method: 'GET',
  path: '/docs',
  operationId: 'getDocs',
  summary: 'Read the documentation of this API as an HTML page',
  responses: { 200: { description: 'The page', contentType: 'text/html; charset=utf-8' } },
  refusals: [],
} as const satisfies Route;

export const handler = apiHandler(route, async () => {
  const { default: document } = await import('../../docs/openapi.json', { with: { type: 'json' } });
  return {
    status: 200,
    headers: {
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'x-content-type-options': 'nosniff',
    },
    body: docsPage(document),
  };
});
