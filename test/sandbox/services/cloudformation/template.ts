import { type CollectionTag, parse, type ScalarTag } from 'yaml';
import { AwsError } from '../../service.ts';
import { type Json, references, resolve, type Scope } from './template-functions.ts';

export type Properties = Record<string, Json>;

export interface TemplateResource {
  logicalId: string;
  type: string;
  properties: Properties;
  /** Logical ids that must exist first, by DependsOn or by a reference. */
  after: string[];
  /** `Retain` keeps the resource when its stack is deleted; `RetainExceptOnCreate` not after a failed creation. */
  deletionPolicy: string;
}

interface ResourceBlock {
  Type?: string;
  Properties?: Properties;
  DependsOn?: string | string[];
  Condition?: string;
  DeletionPolicy?: string;
}

interface Template {
  Resources?: Record<string, ResourceBlock>;
  Parameters?: Record<string, { Default?: Json; Type?: string }>;
  Mappings?: Record<string, Record<string, Record<string, Json>>>;
  Conditions?: Record<string, Json>;
  Transform?: Json;
}

/** Source: CloudFormation User Guide, "Template anatomy" and "Resource attribute reference". */
const sections = [
  'AWSTemplateFormatVersion',
  'Conditions',
  'Description',
  'Hooks',
  'Mappings',
  'Metadata',
  'Outputs',
  'Parameters',
  'Resources',
  'Rules',
  'Transform',
];
const attributes = [
  'Condition',
  'CreationPolicy',
  'DeletionPolicy',
  'DependsOn',
  'Metadata',
  'Properties',
  'Type',
  'UpdatePolicy',
  'UpdateReplacePolicy',
];

/**
 * The resources of a template whose conditions are true, with parameters and conditions already in their properties.
 * @param pseudo values of pseudo parameters that are known before the stack exists
 */
export function parseTemplate(text: string, pseudo: Record<string, string> = {}): TemplateResource[] {
  const template = read(text);
  const blocks = Object.entries(template.Resources ?? {});
  if (blocks.length === 0) throw formatError('At least one Resources member must be defined.');
  for (const [logicalId, block] of blocks) {
    if (!block.Type) throw formatError(`[/Resources/${logicalId}] Every Resources object must contain a Type member.`);
    const unknown = Object.keys(block).find((name) => !attributes.includes(name));
    if (unknown !== undefined) throw formatError(`Invalid template resource property '${unknown}'`);
  }
  const scope = scopeOf(template, pseudo);
  const present = blocks.filter(([, { Condition }]) => Condition === undefined || scope.condition(Condition));
  const known = new Set(present.map(([logicalId]) => logicalId));
  const parsed = present.map(([logicalId, block]) => {
    const properties = resolve(block.Properties ?? {}, scope) as Properties;
    const ignored = new Set(blocks.map(([id]) => id).filter((id) => !known.has(id)));
    const depends = [block.DependsOn ?? []].flat().filter((id) => !ignored.has(id));
    return {
      logicalId,
      type: block.Type ?? '',
      properties,
      after: [...depends, ...references(properties)],
      deletionPolicy: block.DeletionPolicy ?? 'Delete',
    };
  });
  const dangling = parsed.flatMap(({ after }) => after.filter((id) => !known.has(id)));
  if (dangling.length > 0)
    throw formatError(
      `Unresolved resource dependencies [${dangling.join(', ')}] in the Resources block of the template`,
    );
  return parsed;
}

/** True if CloudFormation demands CAPABILITY_AUTO_EXPAND. */
export function usesMacros(text: string): boolean {
  return read(text).Transform !== undefined || text.includes('Fn::Transform') || text.includes('!Transform');
}

/** Values of parameters, conditions and mappings. Nobody passes parameters, so each has its default. */
function scopeOf({ Parameters = {}, Conditions = {}, Mappings = {} }: Template, pseudo: Record<string, string>): Scope {
  const missing = Object.keys(Parameters).filter((name) => Parameters[name]?.Default === undefined);
  if (missing.length > 0) throw invalid(`Parameters: [${missing.join(', ')}] must have values`);
  const scope: Scope = {
    parameter: (name) => pseudo[name] ?? Parameters[name]?.Default,
    condition(name) {
      const text = Conditions[name];
      if (text === undefined) throw formatError(`Unresolved condition dependency ${name}`);
      return resolve(text, scope) === true;
    },
    mapped(map, first, second) {
      const value = Mappings[map]?.[first]?.[second];
      if (value === undefined) throw invalid(`Template error: Unable to get mapping for ${map}::${first}::${second}`);
      return value;
    },
  };
  return scope;
}

/** `!GetAtt A.B` is a list; every other short form has the value as it is. */
function shortTag(name: string, full = `Fn::${name}`): (ScalarTag | CollectionTag)[] {
  const scalar: ScalarTag = {
    tag: `!${name}`,
    resolve: (text) => ({ [full]: name === 'GetAtt' ? text.split('.') : text }),
  };
  const list: CollectionTag = {
    tag: `!${name}`,
    collection: 'seq',
    resolve: (items) => ({ [full]: items.toJSON() as Json }),
  };
  const map: CollectionTag = {
    tag: `!${name}`,
    collection: 'map',
    resolve: (items) => ({ [full]: items.toJSON() as Json }),
  };
  return [scalar, list, map];
}

const shortTags = [
  ...shortTag('Ref', 'Ref'),
  ...shortTag('Condition', 'Condition'),
  ...['And', 'Base64', 'Equals', 'FindInMap', 'GetAtt', 'If', 'ImportValue', 'Join', 'Not', 'Or'].flatMap((name) =>
    shortTag(name),
  ),
  ...['Select', 'Split', 'Sub', 'Transform'].flatMap((name) => shortTag(name)),
];

function read(text: string): Template {
  let template: unknown;
  try {
    template = parse(text, { customTags: shortTags });
  } catch (error) {
    throw formatError(`YAML not well-formed. (${(error as Error).message})`);
  }
  if (typeof template !== 'object' || template === null) throw formatError('unsupported structure.');
  const unknown = Object.keys(template).filter((name) => !sections.includes(name));
  if (unknown.length > 0) throw formatError(`Invalid template property or properties [${unknown.join(', ')}]`);
  return template;
}

const invalid = (message: string) => new AwsError('ValidationError', message, 400);
const formatError = (message: string) => invalid(`Template format error: ${message}`);
