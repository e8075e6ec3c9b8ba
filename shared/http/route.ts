import type * as z from 'zod';
import type { RefusalCode } from '../errors/problem.ts';
import type { Rights } from '../model/rights.ts';

interface RouteResponse {
  description: string;
  /** Of a JSON body; without it the body is text of `contentType`. */
  schema?: z.ZodType;
  contentType?: string;
  /** Response headers beside the content type, with their descriptions. */
  headers?: Record<string, string>;
}

/** One route: what validates its requests is what the OpenAPI document says about them. */
export interface Route {
  method: 'GET' | 'POST';
  /** As API Gateway spells it: `/v1/runs/{runId}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  /** True for a route that asks for no signature. */
  open?: true;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** Names in lower case, as payload 2.0 has them. */
  headers?: z.ZodObject;
  body?: z.ZodType;
  /** @default 64 kB; Lambda takes 6 MB with everything API Gateway adds */
  maxBodyBytes?: number;
  responses: Record<number, RouteResponse>;
  /** Refusals this route may answer with. */
  refusals: readonly RefusalCode[];
  /** @default none */
  permissions?: Rights;
}

type Part = 'params' | 'query' | 'headers' | 'body';

/** A request after validation: the parts that the route declares. */
export type RouteInput<R extends Route> = {
  [P in Part & keyof R]: R[P] extends z.ZodType ? z.output<R[P]> : never;
};

/** What a handler may answer with: exactly what the route declares. */
export type RouteAnswer<R extends Route> = {
  [Status in keyof R['responses'] & number]: {
    status: Status;
    headers?: Record<string, string>;
    body: R['responses'][Status] extends { schema: infer Schema extends z.ZodType } ? z.input<Schema> : string;
  };
}[keyof R['responses'] & number];
