/** The subset of SQL that Kubecost and the onboarding send: one SELECT from one table, with WHERE, GROUP BY and LIMIT. */

interface Position {
  line: number;
  column: number;
}

export type Expression =
  | { kind: 'column'; name: string; at: Position }
  | { kind: 'literal'; value: string | number | null; type: string }
  | { kind: 'call'; name: string; arguments: Expression[] }
  | { kind: 'binary'; operator: string; left: Expression; right: Expression; at: Position }
  | { kind: 'not'; of: Expression }
  | { kind: 'isNull'; of: Expression }
  | { kind: 'case'; subject: Expression | undefined; branches: [Expression, Expression][]; otherwise: Expression };

export interface Select {
  /** Empty for `SELECT *`. */
  items: { expression: Expression; label: string }[];
  table: { database: string | undefined; name: string; at: Position };
  where: Expression | undefined;
  groupBy: Expression[];
  limit: number | undefined;
}

export class SqlError extends Error {}

interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol' | 'end';
  text: string;
  at: Position;
}

const pattern =
  /\s*(?:([A-Za-z_]\w*)|"([^"]+)"|'((?:[^']|'')*)'|(\d+(?:\.\d+)?(?!\w))|(\d\w+)|(<>|<=|>=|!=|[-+*/=<>(),.;]))/y;

function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  const positionOf = (index: number): Position => {
    const before = sql.slice(0, index).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length };
  };
  pattern.lastIndex = 0;
  let end = 0;
  while (sql.slice(end).trim() !== '') {
    const match = pattern.exec(sql);
    const start = end + (sql.slice(end).length - sql.slice(end).trimStart().length);
    const at = positionOf(start);
    if (!match) throw new SqlError(`line ${at.line}:${at.column + 1}: mismatched input '${sql.charAt(start)}'`);
    const [, word, quoted, string, number, digits, symbol] = match;
    if (digits !== undefined)
      throw new SqlError(
        `line ${at.line}:${at.column + 1}: identifiers must not start with a digit; surround the identifier with double quotes`,
      );
    // Positions count columns from one.
    const place = { line: at.line, column: at.column + 1 };
    if (word !== undefined) tokens.push({ kind: 'word', text: word, at: place });
    else if (quoted !== undefined) tokens.push({ kind: 'quoted', text: quoted, at: place });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string.replaceAll("''", "'"), at: place });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, at: place });
    else if (symbol !== undefined && symbol !== ';') tokens.push({ kind: 'symbol', text: symbol, at: place });
    end = pattern.lastIndex;
  }
  tokens.push({ kind: 'end', text: '<EOF>', at: positionOf(sql.length) });
  return tokens;
}

export function parseSelect(sql: string): Select {
  return new Parser(tokenize(sql)).select();
}

const comparisons = ['=', '<>', '!=', '<', '>', '<=', '>='];

class Parser {
  readonly #tokens: Token[];
  #index = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  select(): Select {
    this.#expect('SELECT');
    const items = this.#skip('*') ? [] : this.#list(() => this.#item());
    this.#expect('FROM');
    const table = this.#table();
    const where = this.#skip('WHERE') ? this.#expression() : undefined;
    const groupBy = this.#skip('GROUP') ? (this.#expect('BY'), this.#list(() => this.#expression())) : [];
    const limit = this.#skip('LIMIT') ? Number(this.#take().text) : undefined;
    if (this.#peek().kind !== 'end') throw this.#unexpected();
    return { items, table, where, groupBy, limit };
  }

  #item(): Select['items'][number] {
    const expression = this.#expression();
    const label = this.#skip('AS') ? this.#take().text : expression.kind === 'column' ? expression.name : '_col';
    return { expression, label };
  }

  #table(): Select['table'] {
    const { at } = this.#peek();
    const path = [this.#name()];
    while (this.#skip('.')) path.push(this.#name());
    return { database: path.at(-2), name: path.at(-1) ?? '', at };
  }

  #expression(): Expression {
    return this.#chain(['OR'], () => this.#chain(['AND'], () => this.#negation()));
  }

  #negation(): Expression {
    return this.#skip('NOT') ? { kind: 'not', of: this.#negation() } : this.#comparison();
  }

  #comparison(): Expression {
    const left = this.#chain(['+', '-'], () => this.#chain(['*', '/'], () => this.#primary()));
    if (this.#skip('IS')) {
      const negated = this.#skip('NOT');
      this.#expect('NULL');
      return negated ? { kind: 'not', of: { kind: 'isNull', of: left } } : { kind: 'isNull', of: left };
    }
    if (this.#skip('IN')) {
      this.#expect('(');
      const choices = this.#list(() => this.#primary());
      this.#expect(')');
      return choices
        .map((right): Expression => ({ kind: 'binary', operator: '=', left, right, at: this.#peek().at }))
        .reduce((some, choice) => ({ kind: 'binary', operator: 'OR', left: some, right: choice, at: this.#peek().at }));
    }
    if (!comparisons.includes(this.#peek().text)) return left;
    const { text, at } = this.#take();
    const right = this.#chain(['+', '-'], () => this.#primary());
    return { kind: 'binary', operator: text === '!=' ? '<>' : text, left, right, at };
  }

  #chain(operators: string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.#peek().kind !== 'quoted' && operators.includes(this.#peek().text.toUpperCase())) {
      const { text, at } = this.#take();
      left = { kind: 'binary', operator: text.toUpperCase(), left, right: operand(), at };
    }
    return left;
  }

  #primary(): Expression {
    if (this.#skip('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (this.#skip('CASE')) return this.#case();
    if (this.#skip('NULL')) return { kind: 'literal', value: null, type: 'unknown' };
    const { kind, text, at } = this.#take();
    if (kind === 'string') return { kind: 'literal', value: text, type: 'varchar' };
    if (kind === 'number')
      return { kind: 'literal', value: Number(text), type: text.includes('.') ? 'double' : 'integer' };
    if (kind === 'quoted') return { kind: 'column', name: text.toLowerCase(), at };
    if (kind !== 'word') throw mismatch(text, at);
    const word = text.toLowerCase();
    if ((word === 'date' || word === 'timestamp') && this.#peek().kind === 'string')
      return { kind: 'literal', value: this.#take().text.padEnd(23, ' 00:00:00.000'.slice(-13)), type: word };
    if (this.#skip('(')) return this.#call(word);
    return { kind: 'column', name: word, at };
  }

  #call(name: string): Expression {
    if (this.#skip(')')) return { kind: 'call', name, arguments: [] };
    const counted = this.#skip('*') ? [] : this.#list(() => this.#expression());
    this.#expect(')');
    return { kind: 'call', name, arguments: counted };
  }

  #case(): Expression {
    const subject = this.#isNext('WHEN') ? undefined : this.#expression();
    const branches: [Expression, Expression][] = [];
    while (this.#skip('WHEN')) {
      const when = this.#expression();
      this.#expect('THEN');
      branches.push([when, this.#expression()]);
    }
    const otherwise: Expression = this.#skip('ELSE')
      ? this.#expression()
      : { kind: 'literal', value: null, type: 'unknown' };
    this.#expect('END');
    return { kind: 'case', subject, branches, otherwise };
  }

  #list<T>(one: () => T): T[] {
    const all = [one()];
    while (this.#skip(',')) all.push(one());
    return all;
  }

  #name(): string {
    const { kind, text, at } = this.#take();
    if (kind !== 'word' && kind !== 'quoted') throw mismatch(text, at);
    return text.toLowerCase();
  }

  #peek(): Token {
    return this.#tokens[this.#index] ?? { kind: 'end', text: '<EOF>', at: { line: 1, column: 1 } };
  }

  #take(): Token {
    const token = this.#peek();
    this.#index++;
    return token;
  }

  #isNext(text: string): boolean {
    const { kind, text: found } = this.#peek();
    return (kind === 'word' || kind === 'symbol') && found.toUpperCase() === text;
  }

  #skip(text: string): boolean {
    const next = this.#isNext(text);
    if (next) this.#index++;
    return next;
  }

  #expect(text: string): void {
    if (!this.#skip(text)) throw this.#unexpected();
  }

  #unexpected(): SqlError {
    const { text, at } = this.#peek();
    return mismatch(text, at);
  }
}

function mismatch(text: string, { line, column }: Position): SqlError {
  return new SqlError(`line ${line}:${column}: mismatched input '${text}'`);
}
