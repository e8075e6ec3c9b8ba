import { type CollectionTag, parseDocument, type ScalarTag, visit } from 'yaml';
import * as z from 'zod';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A resource whose parameters, conditions and mappings are inserted. What is left of functions are references to other resources. */
export interface TemplateResource {
  type: string;
  properties: Record<string, Json>;
  dependsOn: string[];
}

/** Why a template is not trusted. */
export class TemplateProblem extends Error {}

/** CreateStack's limit for a body; AWS's template has about 10 kB. */
const maxBytes = 51_200;

/** Sections that cannot give rights. `Rules` and `Hooks` are not among them, and a `Transform` lets a macro write the template. */
const sections = z.strictObject({
  AWSTemplateFormatVersion: z.literal('2010-09-09').optional(),
  Description: z.string().optional(),
  Metadata: z.json().optional(),
  Parameters: z
    .record(
      z.string(),
      // Other types read a value from the account, such as AWS::SSM::Parameter::Value<String>.
      z.looseObject({ Type: z.enum(['String', 'Number', 'CommaDelimitedList']), Default: z.json() }),
    )
    .default({}),
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.json()))).default({}),
  Conditions: z.record(z.string(), z.json()).default({}),
  // An exported output is a name that other stacks depend on.
  Outputs: z.record(z.string(), z.looseObject({ Value: z.json(), Export: z.undefined().optional() })).default({}),
  Resources: z.record(
    z.string(),
    z.strictObject({
      Type: z.string(),
      Properties: z.record(z.string(), z.json()).default({}),
      DependsOn: z.union([z.string(), z.array(z.string())]).default([]),
      Condition: z.string().optional(),
      DeletionPolicy: z.string().optional(),
      UpdateReplacePolicy: z.string().optional(),
      Metadata: z.json().optional(),
    }),
  ),
});
type Sections = z.infer<typeof sections>;

/** The short forms of template functions; `!GetAtt A.B` is a list. */
const shortTags = [
  'And',
  'Condition',
  'Equals',
  'FindInMap',
  'GetAtt',
  'If',
  'Join',
  'Not',
  'Or',
  'Ref',
  'Select',
  'Sub',
].flatMap((name): (ScalarTag | CollectionTag)[] => {
  const tag = `!${name}`;
  const full = name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`;
  const list: CollectionTag = {
    tag,
    collection: 'seq',
    resolve: (items) => ({ [full]: z.json().parse(items.toJSON()) }),
  };
  return [{ tag, resolve: (text) => ({ [full]: name === 'GetAtt' ? text.split('.') : text }) }, list];
});

/**
 * The resources of a template, by logical id.
 * @param pseudo values of pseudo parameters, such as `AWS::AccountId`
 * @throws TemplateProblem
 */
export function readTemplate(body: string, pseudo: Readonly<Record<string, string>>): Map<string, TemplateResource> {
  if (Buffer.byteLength(body) > maxBytes) throw new TemplateProblem(`it is larger than ${maxBytes} bytes`);
  const parsed = sections.safeParse(contentOf(body));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TemplateProblem(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const template = parsed.data;
  const scope = new Scope(template, pseudo);
  const present = Object.entries(template.Resources).filter(
    ([, { Condition }]) => Condition === undefined || scope.isTrue(Condition),
  );
  for (const { Value } of Object.values(template.Outputs)) scope.resolve(Value);
  return new Map(
    present.map(([id, { Type, Properties, DependsOn }]) => {
      const properties = Object.fromEntries(
        Object.entries(Properties).flatMap(([name, value]) => {
          const resolved = scope.resolve(value);
          return resolved === undefined ? [] : [[name, resolved]];
        }),
      );
      const dependsOn = [DependsOn].flat().filter((other) => present.some(([one]) => one === other));
      return [id, { type: Type, properties, dependsOn }];
    }),
  );
}

function contentOf(body: string): unknown {
  try {
    const document = parseDocument(body, { customTags: shortTags, logLevel: 'silent' });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw new TemplateProblem(problem.message.split('\n')[0]);
    visit(document, {
      Alias() {
        throw new TemplateProblem('it holds YAML aliases');
      },
    });
    return document.toJS();
  } catch (error) {
    if (error instanceof RangeError) throw new TemplateProblem('it is nested too deeply', { cause: error });
    throw error;
  }
}

/** What a template's functions can look up before any resource exists. Nobody passes parameters, so each has its default. */
class Scope {
  readonly #template: Sections;
  readonly #values: Map<string, Json>;
  readonly #pending = new Set<string>();

  constructor(template: Sections, pseudo: Readonly<Record<string, string>>) {
    this.#template = template;
    const defaults = Object.entries(template.Parameters).map(([name, { Type, Default }]) => {
      const isList = Type === 'CommaDelimitedList' && typeof Default === 'string';
      return [name, isList ? Default.split(',') : Default] as const;
    });
    this.#values = new Map([...defaults, ...Object.entries(pseudo)]);
  }

  /** Undefined for a property that `AWS::NoValue` removes. */
  resolve(value: Json): Json | undefined {
    if (typeof value === 'string' && value.includes('{{resolve:'))
      throw new TemplateProblem('it reads a value from another service ({{resolve:…}})');
    if (Array.isArray(value)) return value.map((item) => this.resolve(item)).filter((item) => item !== undefined);
    if (typeof value !== 'object' || value === null) return value;
    const [first, ...others] = Object.entries(value);
    if (first && others.length === 0 && (isFunction(first[0]) || first[0] === 'Condition')) return this.#call(...first);
    if (Object.keys(value).some(isFunction)) throw new TemplateProblem('it has a function beside other values');
    const entries = Object.entries(value).flatMap(([key, item]) => {
      const resolved = this.resolve(item);
      return resolved === undefined ? [] : [[key, resolved] as const];
    });
    return Object.fromEntries(entries);
  }

  isTrue(condition: string): boolean {
    const expression = this.#template.Conditions[condition];
    if (expression === undefined || this.#pending.has(condition))
      throw new TemplateProblem(`condition ${condition} cannot be evaluated`);
    this.#pending.add(condition);
    const result = this.resolve(expression);
    this.#pending.delete(condition);
    return result === true;
  }

  #call(name: string, argument: Json): Json | undefined {
    if (name === 'Ref') return this.#reference(textOf(argument));
    if (name === 'Condition') return this.isTrue(textOf(argument));
    if (name === 'Fn::GetAtt') {
      const [id = '', ...path] = (typeof argument === 'string' ? argument.split('.') : listOf(argument)).map(textOf);
      return this.#attribute(id, path.join('.'));
    }
    if (name === 'Fn::Sub') return this.#substituted(argument);
    if (name === 'Fn::If') {
      const [condition = '', yes = null, no = null] = listOf(argument);
      return this.resolve(this.isTrue(textOf(condition)) ? yes : no);
    }
    const items = listOf(this.resolve(argument) ?? null);
    const [first = null, second = null, third = null] = items;
    switch (name) {
      case 'Fn::Equals':
        return JSON.stringify(first) === JSON.stringify(second);
      case 'Fn::Not':
        return first !== true;
      case 'Fn::And':
        return items.every((item) => item === true);
      case 'Fn::Or':
        return items.includes(true);
      case 'Fn::Join':
        return joined(listOf(second).flatMap((part, index) => (index === 0 ? [part] : [textOf(first), part])));
      case 'Fn::Select':
        return listOf(second)[Number(first)] ?? null;
      case 'Fn::FindInMap':
        return this.#template.Mappings[textOf(first)]?.[textOf(second)]?.[textOf(third)] ?? null;
      default:
        throw new TemplateProblem(`it uses ${name}`);
    }
  }

  #reference(name: string): Json | undefined {
    if (name === 'AWS::NoValue') return undefined;
    const value = this.#values.get(name);
    if (value !== undefined) return value;
    if (!Object.hasOwn(this.#template.Resources, name)) throw new TemplateProblem(`it refers to ${name}`);
    return { Ref: name };
  }

  #attribute(id: string, attribute: string): Json {
    if (!Object.hasOwn(this.#template.Resources, id)) throw new TemplateProblem(`it refers to ${id}`);
    return { 'Fn::GetAtt': [id, attribute] };
  }

  #substituted(argument: Json): Json {
    const [text = '', given = {}] = Array.isArray(argument) ? argument : [argument];
    const resolved = this.resolve(given);
    const values = new Map(Object.entries(isMap(resolved) ? resolved : {}));
    const parts = textOf(text)
      .split(/(\$\{[^}]*\})/)
      .map((part): Json => {
        const [, name] = /^\$\{\s*([^!}\s][^}]*?)\s*\}$/.exec(part) ?? [];
        if (name === undefined) return part.replace(/^\$\{!/, '${');
        const [id = '', ...path] = name.split('.');
        return values.get(name) ?? (path.length > 0 ? this.#attribute(id, path.join('.')) : this.#reference(id)) ?? '';
      });
    return joined(parts);
  }
}

function isFunction(name: string): boolean {
  return name === 'Ref' || name.startsWith('Fn::');
}

/** One text if all parts are texts; one part if the others are empty. */
function joined(parts: readonly Json[]): Json {
  const merged: Json[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (isMap(part)) merged.push(part);
    else if (typeof last === 'string') merged[merged.length - 1] = last + textOf(part);
    else if (textOf(part) !== '') merged.push(textOf(part));
  }
  if (merged.some((part) => typeof part === 'string' && part.includes('{{resolve:')))
    throw new TemplateProblem('it reads a value from another service ({{resolve:…}})');
  const [only = '', ...others] = merged;
  return others.length === 0 ? only : { 'Fn::Join': ['', merged] };
}

export function isMap(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A single value stands for a list of one. */
export function listOf(value: Json): Json[] {
  return Array.isArray(value) ? value : [value];
}

/** @throws TemplateProblem */
function textOf(value: Json): string {
  if (typeof value === 'object') throw new TemplateProblem('it has a function where a text belongs');
  return String(value);
}
