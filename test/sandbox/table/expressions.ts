import { isReservedWord } from './reserved-words.ts';
import { invalid } from './values.ts';

/** A path in an item. Names are as written: a placeholder keeps its `#`. */
export type Path = readonly (string | number)[];

export type Operand =
  { kind: 'path'; path: Path } | { kind: 'value'; name: string } | { kind: 'call'; name: string; args: Operand[] };

export type Condition =
  | { kind: 'and' | 'or'; parts: Condition[] }
  | { kind: 'not'; part: Condition }
  | { kind: 'compare'; operator: string; left: Operand; right: Operand }
  | { kind: 'between'; operand: Operand; from: Operand; to: Operand }
  | { kind: 'in'; operand: Operand; list: Operand[] }
  | { kind: 'call'; name: string; args: Operand[] };

export type Action =
  | { kind: 'set'; path: Path; value: Operand }
  | { kind: 'remove'; path: Path }
  | { kind: 'add' | 'delete'; path: Path; value: Operand };

/** A parsed expression, and the placeholders it uses. */
export interface Expression<Tree> {
  tree: Tree;
  names: ReadonlySet<string>;
  values: ReadonlySet<string>;
}

export const parseCondition = remembered((text) => parse(text, (parser) => parser.condition()));
export const parseUpdate = remembered((text) => parse(text, (parser) => parser.update()));
export const parseProjection = remembered((text) => parse(text, (parser) => parser.paths()));

/** Parsed expressions by text: the product uses few expressions with many values. */
function remembered<T>(parseText: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text) ?? parseText(text);
    if (known.size > 1000) known.clear();
    known.set(text, found);
    return found;
  };
}

function parse<Tree>(text: string, read: (parser: Parser) => Tree): Expression<Tree> {
  if (text === '') throw invalid('The expression can not be empty;');
  const parser = new Parser(text);
  const tree = read(parser);
  parser.end();
  return { tree, names: parser.names, values: parser.values };
}

const token = /\s*(?:(#\w+|:\w+|[A-Za-z_]\w*)|(\d+)|(<>|<=|>=|[=<>(),.+\-[\]]))/y;
const comparators = ['=', '<>', '<', '<=', '>', '>='];
const arities: Record<string, number> = {
  attribute_exists: 1,
  attribute_not_exists: 1,
  attribute_type: 2,
  begins_with: 2,
  contains: 2,
  size: 1,
  if_not_exists: 2,
  list_append: 2,
};
const conditions = ['attribute_exists', 'attribute_not_exists', 'attribute_type', 'begins_with', 'contains'];

class Parser {
  readonly names = new Set<string>();
  readonly values = new Set<string>();
  readonly #text: string;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    const trimmed = text.trimEnd();
    token.lastIndex = 0;
    while (token.lastIndex < trimmed.length) {
      const from = token.lastIndex;
      const found = token.exec(trimmed);
      if (!found) throw this.#wrong(trimmed.slice(from).trim().slice(0, 1));
      this.#tokens.push(found[0].trim());
    }
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#wrong(this.#next() ?? '');
  }

  condition(): Condition {
    return this.#chain('or', 'OR', () => this.#chain('and', 'AND', () => this.#negated()));
  }

  #chain(kind: 'and' | 'or', keyword: string, read: () => Condition): Condition {
    const parts = [read()];
    while (this.#takeKeyword(keyword)) parts.push(read());
    const [first] = parts;
    return parts.length === 1 && first ? first : { kind, parts };
  }

  #negated(): Condition {
    return this.#takeKeyword('NOT') ? { kind: 'not', part: this.#negated() } : this.#simple();
  }

  #simple(): Condition {
    if (this.#take('(')) {
      const inner = this.condition();
      this.#expect(')');
      return inner;
    }
    const operand = this.#operand();
    if (operand.kind === 'call' && conditions.includes(operand.name)) return operand;
    if (this.#takeKeyword('BETWEEN')) {
      const from = this.#operand();
      if (!this.#takeKeyword('AND')) throw this.#wrong(this.#next() ?? '<EOF>');
      return { kind: 'between', operand, from, to: this.#operand() };
    }
    if (this.#takeKeyword('IN')) {
      this.#expect('(');
      return { kind: 'in', operand, list: this.#list(() => this.#operand(), ')') };
    }
    const operator = this.#next();
    if (operator === undefined || !comparators.includes(operator)) throw this.#wrong(operator ?? '<EOF>');
    return { kind: 'compare', operator, left: operand, right: this.#operand() };
  }

  update(): Action[] {
    const actions: Action[] = [];
    const seen = new Set<string>();
    while (this.#at < this.#tokens.length) {
      const section = this.#next()?.toUpperCase() ?? '';
      if (!['SET', 'REMOVE', 'ADD', 'DELETE'].includes(section)) throw this.#wrong(this.#tokens[this.#at - 1] ?? '');
      if (seen.has(section)) throw invalid(`The "${section}" section can only be used once in an update expression;`);
      seen.add(section);
      do actions.push(this.#action(section));
      while (this.#take(','));
    }
    return actions;
  }

  #action(section: string): Action {
    const path = this.#path();
    if (section === 'REMOVE') return { kind: 'remove', path };
    if (section === 'SET') {
      this.#expect('=');
      return { kind: 'set', path, value: this.#sum() };
    }
    const name = this.#next() ?? '<EOF>';
    if (!name.startsWith(':')) throw this.#wrong(name);
    this.values.add(name);
    return { kind: section === 'ADD' ? 'add' : 'delete', path, value: { kind: 'value', name } };
  }

  #sum(): Operand {
    const left = this.#operand();
    for (const name of ['+', '-']) if (this.#take(name)) return { kind: 'call', name, args: [left, this.#operand()] };
    return left;
  }

  paths(): Path[] {
    const paths = [this.#path()];
    while (this.#take(',')) paths.push(this.#path());
    return paths;
  }

  #operand(): Operand {
    const next = this.#tokens[this.#at];
    if (next?.startsWith(':')) {
      this.#at++;
      this.values.add(next);
      return { kind: 'value', name: next };
    }
    if (this.#tokens[this.#at + 1] !== '(' || !next || !/^\w/.test(next)) return { kind: 'path', path: this.#path() };
    this.#at += 2;
    const arity = arities[next];
    if (arity === undefined) throw invalid(`Invalid function name; function: ${next}`);
    const args = this.#list(() => this.#operand(), ')');
    if (args.length !== arity)
      throw invalid(
        `Incorrect number of operands for operator or function; operator or function: ${next}, number of operands: ${args.length}`,
      );
    return { kind: 'call', name: next, args };
  }

  #list<T>(read: () => T, close: string): T[] {
    const list = [read()];
    while (this.#take(',')) list.push(read());
    this.#expect(close);
    return list;
  }

  #path(): Path {
    const path: (string | number)[] = [this.#name()];
    for (;;) {
      if (this.#take('.')) path.push(this.#name());
      else if (this.#take('[')) {
        const index = this.#next() ?? '<EOF>';
        if (!/^\d+$/.test(index)) throw this.#wrong(index);
        path.push(Number(index));
        this.#expect(']');
      } else return path;
    }
  }

  #name(): string {
    const name = this.#next() ?? '<EOF>';
    if (name.startsWith('#')) this.names.add(name);
    else if (!/^[A-Za-z_]/.test(name)) throw this.#wrong(name);
    else if (isReservedWord(name)) throw invalid(`Attribute name is a reserved keyword; reserved keyword: ${name}`);
    return name;
  }

  #next(): string | undefined {
    return this.#tokens[this.#at++];
  }

  #take(text: string): boolean {
    if (this.#tokens[this.#at] !== text) return false;
    this.#at++;
    return true;
  }

  #takeKeyword(word: string): boolean {
    if (this.#tokens[this.#at]?.toUpperCase() !== word) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#wrong(this.#next() ?? '<EOF>');
  }

  #wrong(found: string): Error {
    const near = this.#tokens.slice(Math.max(0, this.#at - 2), this.#at + 1).join(' ');
    return invalid(`Syntax error; token: "${found}", near: "${near || this.#text}"`);
  }
}
