import { readFileSync } from 'node:fs';
import { parse, type ScalarTag } from 'yaml';
import type { EventPattern, HttpRoute } from '../sandbox/index.ts';

interface FunctionEntry {
  handler: string;
  environment?: Record<string, unknown>;
  timeout?: number;
  events?: (
    | { httpApi: { method: string; path: string; authorizer?: { type: string } } }
    | { eventBridge: { eventBus?: { Ref: string }; pattern: EventPattern } }
    | { schedule: string }
  )[];
}

/** Literals, and references to resources of the same stack. */
export type Environment = Record<string, string | number | { Ref: string }>;

interface ServerlessFile {
  params: { default: Record<string, string | number> };
  provider: { environment: Environment; timeout: number };
  functions: Record<string, FunctionEntry>;
  resources: {
    Resources?: Record<string, { Type: string; Properties: Record<string, unknown> }>;
    extensions?: Record<string, { Properties: Record<string, unknown> }>;
  }[];
}

const intrinsic = (name: string): ScalarTag => ({ tag: `!${name}`, resolve: (text: string) => ({ [name]: text }) });

/** serverless.yml as data, with the generated files that it includes. */
export function readServerlessFile(overrides: Record<string, string> = {}): ServerlessFile {
  const customTags = ['Ref', 'GetAtt', 'Sub'].map(intrinsic);
  const text = readFileSync('serverless.yml', 'utf8');
  const { params } = parse(text, { customTags }) as Pick<ServerlessFile, 'params'>;
  const parameters: Record<string, string | number> = { ...params.default, ...overrides };
  const resolved = (content: string) =>
    content
      .replaceAll(/\$\{param:(\w+)\}/g, (variable, name: string) => String(parameters[name] ?? variable))
      .replaceAll('${self:service}', 'kubecost-payer-onboarding')
      .replaceAll('${sls:stage}', 'sandbox');
  const included = (path: string): unknown => JSON.parse(resolved(readFileSync(path, 'utf8')));
  return withIncludes(parse(resolved(text), { customTags }), included) as ServerlessFile;
}

/** Replaces `${file(path.json):address}` by what it names. */
function withIncludes(value: unknown, included: (path: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withIncludes(item, included));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withIncludes(item, included)]));
  const [, path, address = ''] = /^\$\{file\((.+\.json)\):?(.*)\}$/.exec(String(value)) ?? [];
  if (path === undefined) return value;
  const names = address.split('.').filter(Boolean);
  return names.reduce((found, name) => (found as Record<string, unknown>)[name], included(path));
}

export function resourceOf(file: ServerlessFile, logicalId: string): Record<string, unknown> {
  for (const { Resources } of file.resources) {
    if (Resources?.[logicalId]) return Resources[logicalId].Properties;
  }
  throw new Error(`serverless.yml has no resource ${logicalId}`);
}

/** The functions that rules of the deployment's event bus invoke. */
export function busRules(file: ServerlessFile): { functionKey: string; pattern: EventPattern }[] {
  return Object.entries(file.functions).flatMap(([functionKey, { events = [] }]) =>
    events.flatMap((event) =>
      'eventBridge' in event && event.eventBridge.eventBus ? [{ functionKey, pattern: event.eventBridge.pattern }] : [],
    ),
  );
}

/** The functions that a schedule invokes. */
export function schedules(file: ServerlessFile): { functionKey: string; expression: string }[] {
  return Object.entries(file.functions).flatMap(([functionKey, { events = [] }]) =>
    events.flatMap((event) => ('schedule' in event ? [{ functionKey, expression: event.schedule }] : [])),
  );
}

export function httpRoutes(file: ServerlessFile): HttpRoute[] {
  return Object.entries(file.functions).flatMap(([functionKey, { events = [] }]) =>
    events.flatMap((event) =>
      'httpApi' in event
        ? [
            {
              functionKey,
              method: event.httpApi.method,
              path: event.httpApi.path,
              signed: event.httpApi.authorizer?.type === 'aws_iam',
            },
          ]
        : [],
    ),
  );
}
