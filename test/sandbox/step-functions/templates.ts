import type { Json } from './definition.ts';
import { runtimeError } from './errors.ts';
import { intrinsics } from './intrinsics.ts';
import type { Roots } from './jsonpath.ts';
import { isObject, lookUp, require } from './jsonpath.ts';

export interface Environment extends Roots {
  random: () => number;
}

/** A payload template: fields whose name ends in `.$` are paths or intrinsic functions. */
export function fillIn(template: Json, environment: Environment): Json {
  if (Array.isArray(template)) return template.map((item) => fillIn(item, environment));
  if (!isObject(template)) return template;
  return Object.fromEntries(
    Object.entries(template).map(([key, value]) => {
      if (!key.endsWith('.$')) return [key, fillIn(value, environment)];
      if (typeof value !== 'string')
        throw runtimeError(`The value of the field '${key}' must be a path or an intrinsic function`);
      return [key.slice(0, -2), evaluate(value, environment)];
    }),
  );
}

/** A path or an intrinsic function, as `Parameters`, `ErrorPath` and the like hold them. */
export function evaluate(expression: string, environment: Environment): Json {
  if (expression.startsWith('$')) return require(expression, environment);
  const parser = new Parser(expression, environment);
  const value = parser.argument();
  parser.end();
  return value;
}

class Parser {
  readonly #text: string;
  readonly #environment: Environment;
  #at = 0;

  constructor(text: string, environment: Environment) {
    this.#text = text;
    this.#environment = environment;
  }

  /** `formats`: this is the template of States.Format, where `\\{` must stay distinguishable from `{`. */
  argument(formats = false): Json {
    const name = this.#take(/\s*(States\.\w+)\s*\(/y);
    if (name !== undefined) return this.#call(name);
    const path = this.#take(/\s*(\$(?:\['[^']*'\]|\["[^"]*"\]|[^\s,()])*)/y);
    if (path !== undefined) return this.#path(path);
    const text = this.#take(/\s*'((?:\\.|[^'\\])*)'/y);
    if (text !== undefined) return text.replace(formats ? /\\([^{}])/g : /\\(.)/g, '$1');
    const literal = this.#take(/\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y);
    if (literal !== undefined) return JSON.parse(literal) as Json;
    throw runtimeError(`Invalid intrinsic function '${this.#text}' at character ${this.#at}`);
  }

  end(): void {
    if (this.#take(/(\s*)$/y) === undefined) throw runtimeError(`Invalid intrinsic function '${this.#text}'`);
  }

  #call(name: string): Json {
    const run = Object.hasOwn(intrinsics, name) ? intrinsics[name] : undefined;
    if (!run) throw runtimeError(`Unknown intrinsic function ${name}`);
    const args: Json[] = [];
    if (this.#take(/\s*(\))/y) === undefined) {
      do args.push(this.argument(name === 'States.Format' && args.length === 0));
      while (this.#take(/\s*(,)/y) !== undefined);
      if (this.#take(/\s*(\))/y) === undefined) throw runtimeError(`Invalid intrinsic function '${this.#text}'`);
    }
    return run(args, this.#environment.random);
  }

  #path(path: string): Json {
    const value = lookUp(path, this.#environment);
    if (value === undefined) {
      const input = JSON.stringify(this.#environment.data);
      throw runtimeError(
        `The function '${this.#text}' had the following error: ` +
          `The JsonPath argument for the field '${path}' could not be found in the input '${input}'`,
      );
    }
    return value;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match) this.#at = pattern.lastIndex;
    return match?.[1];
  }
}
