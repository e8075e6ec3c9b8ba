import { AwsError } from '../../service.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** What a template's functions can look up before any resource exists. */
export interface Scope {
  parameter(name: string): Json | undefined;
  condition(name: string): boolean;
  mapped(map: string, first: string, second: string): Json;
}

export type LookUp = (logicalId: string, attribute?: string) => string;

/** `AWS::NoValue` removes the property that has it. */
const noValue = { Ref: 'AWS::NoValue' };

/** Replaces parameters, conditions and mappings by their values. References to resources and pseudo parameters stay. */
export function resolve(value: Json, scope: Scope): Json {
  if (Array.isArray(value)) return value.map((item) => resolve(item, scope)).filter((item) => !isNoValue(item));
  if (typeof value !== 'object' || value === null) return value;
  const [name = '', ...others] = Object.keys(value);
  const argument = value[name];
  if (others.length === 0 && argument !== undefined) {
    if (name === 'Ref' && typeof argument === 'string') return scope.parameter(argument) ?? value;
    if (name === 'Condition' && typeof argument === 'string') return scope.condition(argument);
    if (name === 'Fn::GetAtt') return { [name]: typeof argument === 'string' ? argument.split('.') : argument };
    if (name === 'Fn::Sub') return substituted(argument, scope);
    if (name.startsWith('Fn::')) return computed(name, listOf(resolve(argument, scope)), argument, scope);
  }
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]): [string, Json] => [key, resolve(item, scope)])
      .filter(([, item]) => !isNoValue(item)),
  );
}

function computed(name: string, items: Json[], argument: Json, scope: Scope): Json {
  const [first = null, second = null, third = null] = items;
  switch (name) {
    case 'Fn::If':
      return scope.condition(textOf(listOf(argument)[0])) ? second : third;
    case 'Fn::Equals':
      return JSON.stringify(first) === JSON.stringify(second);
    case 'Fn::Not':
      return first !== true;
    case 'Fn::And':
      return items.every((item) => item === true);
    case 'Fn::Or':
      return items.includes(true);
    case 'Fn::FindInMap':
      return scope.mapped(textOf(first), textOf(second), textOf(third));
    case 'Fn::Join':
      return { 'Fn::Join': [first, listOf(second)] };
    case 'Fn::Select':
      return listOf(second)[Number(first)] ?? null;
    case 'Fn::Split':
      return textOf(second).split(textOf(first));
    case 'Fn::Base64':
      return Buffer.from(textOf(first)).toString('base64');
    case 'Fn::ImportValue':
      throw new AwsError('ValidationError', `No export named ${textOf(first)} found`, 400);
    default:
      throw new AwsError('ValidationError', `Template error: Unrecognized function ${name}`, 400);
  }
}

/** The parameters and the map of a `Fn::Sub` are inserted; references to resources stay. */
function substituted(argument: Json, scope: Scope): Json {
  const [text = '', values = {}] = Array.isArray(argument) ? argument : [argument];
  const given = resolve(values, scope);
  const known = typeof given === 'object' && given !== null && !Array.isArray(given) ? given : {};
  const parts: Json[] = textOf(text)
    .split(/(\$\{[^!}]+\})/)
    .map((part): Json => {
      const [, name] = /^\$\{([^!}]+)\}$/.exec(part) ?? [];
      if (name === undefined) return part.replaceAll('${!', '${');
      const value = known[name] ?? scope.parameter(name);
      if (value !== undefined) return value;
      const [logicalId = '', ...path] = name.split('.');
      return path.length > 0 ? { 'Fn::GetAtt': [logicalId, path.join('.')] } : { Ref: logicalId };
    });
  return { 'Fn::Join': ['', parts] };
}

/** Replaces references by the ids and attributes of resources that exist now. */
export function dereference(value: Json, lookUp: LookUp): Json {
  if (Array.isArray(value)) return value.map((item) => dereference(item, lookUp));
  if (typeof value !== 'object' || value === null) return value;
  if (typeof value.Ref === 'string') return lookUp(value.Ref);
  const attribute = value['Fn::GetAtt'];
  if (Array.isArray(attribute)) {
    const [logicalId = '', ...path] = attribute.filter((part) => typeof part === 'string');
    return lookUp(logicalId, path.join('.'));
  }
  const join = value['Fn::Join'];
  if (Array.isArray(join)) {
    const [separator = '', items = []] = join;
    return listOf(dereference(items, lookUp)).map(textOf).join(textOf(separator));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, dereference(item, lookUp)]));
}

/** Logical ids that a value refers to, without pseudo parameters (`AWS::Region`). */
export function references(value: Json): string[] {
  const found: string[] = [];
  dereference(value, (logicalId) => {
    if (!logicalId.startsWith('AWS::')) found.push(logicalId);
    return '';
  });
  return found;
}

function isNoValue(value: Json): boolean {
  return JSON.stringify(value) === JSON.stringify(noValue);
}

function listOf(value: Json): Json[] {
  return Array.isArray(value) ? value : [value];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'object' ? '' : String(value ?? '');
}
