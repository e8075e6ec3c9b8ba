import middy, { type MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { classify } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import { log } from '../platform/logger.ts';
import { problemFor } from './problem-document.ts';
import { parseRequest } from './request-parser.ts';
import type { Route, RouteAnswer, RouteInput } from './route.ts';

type Event = APIGatewayProxyEventV2;
type Result = APIGatewayProxyStructuredResultV2;
type Middleware = MiddlewareObj<Event, Result>;

/** Lambda handler of a route. The order, from the outside: one log line, errors as problem documents, validation, the route's function. */
export function apiHandler<R extends Route, const Answer extends RouteAnswer<R>>(
  route: R,
  answer: (input: RouteInput<R>) => Answer | Promise<Answer>,
) {
  return middy<Event, Result>()
    .use(requestLog(route))
    .use(problems)
    .handler(async (event) => render(route, await answer(parseRequest(route, event))));
}

function requestLog({ operationId }: Route): Middleware {
  const line = ({ event, response }: { event: Event; response?: Result | null | undefined }) => {
    log('request', { operation: operationId, status: response?.statusCode, requestId: event.requestContext.requestId });
  };
  return { after: line, onError: line };
}

const problems: Middleware = {
  onError(request) {
    const { rawPath, requestContext } = request.event;
    const { requestId } = requestContext;
    const problem = problemFor(request.error, rawPath, requestId);
    if (!(request.error instanceof RequestRefusal)) {
      const { name, code, message } = classify(request.error);
      log('request failed', { requestId, error: name, code, detail: message });
    }
    request.response = {
      statusCode: problem.status,
      headers: {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        ...(problem.links && { location: problem.links.run }),
        ...(problem.status === 503 && { 'retry-after': '5' }),
      },
      body: JSON.stringify(problem),
    };
  },
};

function render(
  route: Route,
  { status, headers, body }: { status: number; headers?: Record<string, string>; body: unknown },
): Result {
  const declared = route.responses[status];
  return {
    statusCode: status,
    headers: { 'content-type': declared?.contentType ?? 'application/json', 'cache-control': 'no-store', ...headers },
    body: declared?.schema ? JSON.stringify(body) : String(body),
  };
}
