export type Json = Record<string, unknown>;

export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  security?: readonly Json[];
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: Json }[];
  requestBody?: { required: true; content: Record<string, { schema: Json; example: unknown }> };
  responses: Record<
    string,
    { description: string; headers?: Json; content?: Record<string, { schema: Json; example?: unknown }> }
  >;
}

export interface OpenapiDocument {
  openapi: '3.1.0';
  info: Json & { title: string; version: string; description: string };
  servers: Json[];
  security: readonly Json[];
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Json; schemas: Record<string, Json> };
}
