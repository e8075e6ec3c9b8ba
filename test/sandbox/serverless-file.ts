import { readFileSync } from 'node:fs';
import { parse, type CollectionTag, type ScalarTag, type YAMLSeq } from 'yaml';

export interface HttpRoute {
  functionKey: string;
  method: string;
  path: string;
  signed: boolean;
}

interface FunctionEntry {
  handler: string;
  environment?: Record<string, unknown>;
  timeout?: number;
  events?: (
    | { httpApi: { method: string; path: string; authorizer?: { type: string } } }
    | { eventBridge: { pattern: unknown } }
    | { schedule: string }
  )[];
}

interface ServerlessFile {
  params: { default: Record<string, string | number> };
  provider: { environment: Record<string, unknown>; timeout: number };
  functions: Record<string, FunctionEntry>;
  resources: { Resources?: Record<string, { Type: string; Properties: Record<string, unknown> }> | string }[];
}

const intrinsic = (name: string): (ScalarTag | CollectionTag)[] => [
  { tag: `!${name}`, resolve: (text: string) => ({ [name]: text }) },
  { tag: `!${name}`, collection: 'seq', resolve: (seq) => ({ [name]: (seq as YAMLSeq).toJSON() as unknown }) },
];

/** serverless.yml as data: the sandbox runs exactly what is deployed from it. */
export function readServerlessFile(overrides: Record<string, string> = {}): ServerlessFile {
  const text = readFileSync(new URL('../../serverless.yml', import.meta.url), 'utf8');
  const customTags = ['Ref', 'GetAtt', 'Sub'].flatMap(intrinsic);
  const raw = parse(text, { customTags }) as ServerlessFile;
  const parameters: Record<string, string | number> = { ...raw.params.default, ...overrides };
  const resolve = (variable: string, name: string): string => String(parameters[name] ?? variable);
  const resolved = text
    .replaceAll('${self:service}', 'kubecost-payer-onboarding')
    .replaceAll('${sls:stage}', 'sandbox')
    .replaceAll(/\$\{param:(\w+)\}/g, resolve)
    .replaceAll('${sls:stage}', 'sandbox');
  return parse(resolved, { customTags }) as ServerlessFile;
}

export function resourceOf(file: ServerlessFile, logicalId: string): Record<string, unknown> {
  for (const { Resources } of file.resources) {
    if (typeof Resources === 'object' && Resources[logicalId]) return Resources[logicalId].Properties;
  }
  throw new Error(`serverless.yml has no resource ${logicalId}`);
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
