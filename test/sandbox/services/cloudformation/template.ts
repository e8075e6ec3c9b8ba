import { type CollectionTag, parse, type ScalarTag } from 'yaml';
import { AwsError } from '../../service.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Properties = Record<string, Json>;

export interface TemplateResource {
  logicalId: string;
  type: string;
  properties: Properties;
  /** Logical ids that must exist first, by DependsOn or by a reference. */
  after: string[];
}

const shortTags: (ScalarTag | CollectionTag)[] = [
  { tag: '!Ref', resolve: (text: string) => ({ Ref: text }) },
  { tag: '!Sub', resolve: (text: string) => ({ 'Fn::Sub': text }) },
  { tag: '!GetAtt', resolve: (text: string) => ({ 'Fn::GetAtt': text.split('.') }) },
];

export function parseTemplate(text: string): TemplateResource[] {
  const template = read(text);
  const resources = Object.entries(template.Resources ?? {});
  if (resources.length === 0) throw formatError('At least one Resources member must be defined.');
  const parsed = resources.map(([logicalId, { Type, Properties: properties = {}, DependsOn = [] }]) => {
    if (!Type) throw formatError(`[/Resources/${logicalId}] Every Resources object must contain a Type member.`);
    return { logicalId, type: Type, properties, after: [...[DependsOn].flat(), ...references(properties)] };
  });
  const known = new Set(parsed.map(({ logicalId }) => logicalId));
  const dangling = parsed.flatMap(({ after }) => after.filter((id) => !known.has(id)));
  if (dangling.length > 0)
    throw formatError(
      `Unresolved resource dependencies [${dangling.join(', ')}] in the Resources block of the template`,
    );
  return parsed;
}

interface Template {
  Resources?: Record<string, { Type?: string; Properties?: Properties; DependsOn?: string | string[] }>;
}

function read(text: string): Template {
  let template: unknown;
  try {
    template = parse(text, { customTags: shortTags });
  } catch (error) {
    throw formatError(`YAML not well-formed. (${(error as Error).message})`);
  }
  if (typeof template !== 'object' || template === null) throw formatError('unsupported structure.');
  return template;
}

/** Replaces references by the ids and attributes of resources. */
export function resolve(value: Json, lookUp: (logicalId: string, attribute?: string) => string): Json {
  if (Array.isArray(value)) return value.map((item) => resolve(item, lookUp));
  if (typeof value !== 'object' || value === null) return value;
  if (typeof value.Ref === 'string') return lookUp(value.Ref);
  const attribute = value['Fn::GetAtt'];
  if (Array.isArray(attribute)) {
    const [logicalId = '', ...path] = attribute.filter((part) => typeof part === 'string');
    return lookUp(logicalId, path.join('.'));
  }
  const sub = value['Fn::Sub'];
  if (typeof sub === 'string')
    return sub.replace(placeholder, (_, name: string) => {
      const [logicalId = '', ...path] = name.split('.');
      return path.length > 0 ? lookUp(logicalId, path.join('.')) : lookUp(logicalId);
    });
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, lookUp)]));
}

const placeholder = /\$\{([^!}]+)\}/g;

/** Logical ids that a value refers to, without pseudo parameters (`AWS::Region`). */
function references(value: Json): string[] {
  const found: string[] = [];
  resolve(value, (logicalId) => {
    if (!logicalId.startsWith('AWS::')) found.push(logicalId);
    return '';
  });
  return found;
}

function formatError(message: string): AwsError {
  return new AwsError('ValidationError', `Template format error: ${message}`, 400);
}
