import type * as z from 'zod';
import type { RequestRefusalCode } from '../errors/request-refusal.ts';
import type { Rights } from '../model/function-rights.ts';

export type ObjectSchema = z.ZodObject<Record<string, z.ZodType>>;

interface RouteResponse {
  description: string;
  /** Schema of a JSON body; without it the body is text of `contentType`. */
  schema?: z.ZodType;
  contentType?: string;
  /** Descriptions of the response headers other than the content type. */
  headers?: Record<string, string>;
}

/** One route. The schemas that validate its requests also describe them in the OpenAPI document. */
export interface Route {
  method: 'GET' | 'POST';
  /** In the form of API Gateway: `/v1/runs/{runId}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  /** True for a route without authorisation. */
  open?: true;
  params?: ObjectSchema;
  query?: ObjectSchema;
  /** Names in lower case, as in payload format 2.0. */
  headers?: ObjectSchema;
  body?: z.ZodType;
  /** @default 64 kB; the limit of Lambda is 6 MB, including what API Gateway adds */
  maxBodyBytes?: number;
  responses: Record<number, RouteResponse>;
  /** Codes with which this route may refuse a request. */
  refusals: readonly RequestRefusalCode[];
  /** @default none */
  permissions?: Rights;
}

type Part = 'params' | 'query' | 'headers' | 'body';

/** A validated request: the parts that the route declares. */
export type RouteInput<R extends Route> = {
  [P in Part & keyof R]: R[P] extends z.ZodType ? z.output<R[P]> : never;
};

/** A response of the handler: one of those that the route declares. */
export type RouteAnswer<R extends Route> = {
  [Status in keyof R['responses'] & number]: {
    status: Status;
    headers?: Record<string, string>;
    body: R['responses'][Status] extends { schema: infer Schema extends z.ZodType } ? z.input<Schema> : string;
  };
}[keyof R['responses'] & number];
