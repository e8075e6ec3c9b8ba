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
    Resources?: Record<string, { Type: string; Properties: Record<string, unknown> }> | string;
    extensions?: Record<string, { Properties: Record<string, unknown> }>;
  }[];
}

const intrinsic = (name: string): ScalarTag => ({ tag: `!${name}`, resolve: (text: string) => ({ [name]: text }) });

/** serverless.yml as data. */
export function readServerlessFile(overrides: Record<string, string> = {}): ServerlessFile {
  const text = readFileSync(new URL('../../serverless.yml', import.meta.url), 'utf8');
  const customTags = ['Ref', 'GetAtt', 'Sub'].map(intrinsic);
  const { params } = parse(text, { customTags }) as Pick<ServerlessFile, 'params'>;
  const parameters: Record<string, string | number> = { ...params.default, ...overrides };
  const resolved = text
    .replaceAll(/\$\{param:(\w+)\}/g, (variable, name: string) => String(parameters[name] ?? variable))
    .replaceAll('${self:service}', 'kubecost-payer-onboarding')
    .replaceAll('${sls:stage}', 'sandbox');
  return parse(resolved, { customTags }) as ServerlessFile;
}

export function resourceOf(file: ServerlessFile, logicalId: string): Record<string, unknown> {
  for (const { Resources } of file.resources) {
    if (typeof Resources === 'object' && Resources[logicalId]) return Resources[logicalId].Properties;
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
