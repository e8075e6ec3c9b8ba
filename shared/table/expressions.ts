/** A place in an item: an attribute, or the names that lead to a part of one, as `['steps', 'publish', 'status']`. */
export type AttributePath = string | readonly string[];

/** One part of an update. DynamoDB keeps every attribute that no write names. */
export type Write =
  /** Undefined removes the value. */
  | { at: AttributePath; to: unknown }
  | { at: AttributePath; ifAbsent: unknown }
  /** A missing number counts as zero. */
  | { at: AttributePath; plus: number }
  | { at: AttributePath; append: readonly unknown[] }
  /** Adds to a set of strings; an attribute of the item only (API reference, UpdateItem, "ADD"). */
  | { at: string; include: ReadonlySet<string> };

/** The condition of a write. */
export type Condition = (terms: Terms) => string;

/** The names and values of one command. DynamoDB reserves many names (status, error, output), so each gets an alias. */
export class Terms {
  readonly #names: string[] = [];
  readonly #values: unknown[] = [];

  path(at: AttributePath): string {
    return [at]
      .flat()
      .map((name) => this.#alias(name))
      .join('.');
  }

  value(value: unknown): string {
    return `:v${this.#values.push(value) - 1}`;
  }

  /** For the command; without the maps that would be empty, which DynamoDB refuses. */
  get attributes() {
    return {
      ...(this.#names.length > 0 && {
        ExpressionAttributeNames: Object.fromEntries(this.#names.map((name, index) => [`#n${index}`, name])),
      }),
      ...(this.#values.length > 0 && {
        ExpressionAttributeValues: Object.fromEntries(this.#values.map((value, index) => [`:v${index}`, value])),
      }),
    };
  }

  #alias(name: string): string {
    const known = this.#names.indexOf(name);
    return `#n${known === -1 ? this.#names.push(name) - 1 : known}`;
  }
}

export function updateExpression(terms: Terms, writes: readonly Write[]): string {
  const clauses: Record<'SET' | 'REMOVE' | 'ADD', string[]> = { SET: [], REMOVE: [], ADD: [] };
  for (const write of writes) {
    const path = terms.path(write.at);
    if ('ifAbsent' in write) clauses.SET.push(`${path} = if_not_exists(${path}, ${terms.value(write.ifAbsent)})`);
    else if ('plus' in write)
      clauses.SET.push(`${path} = if_not_exists(${path}, ${terms.value(0)}) + ${terms.value(write.plus)}`);
    else if ('append' in write) clauses.SET.push(`${path} = list_append(${path}, ${terms.value(write.append)})`);
    else if ('include' in write) clauses.ADD.push(`${path} ${terms.value(write.include)}`);
    else if (write.to === undefined) clauses.REMOVE.push(path);
    else clauses.SET.push(`${path} = ${terms.value(write.to)}`);
  }
  return Object.entries(clauses)
    .flatMap(([name, parts]) => (parts.length > 0 ? [`${name} ${parts.join(', ')}`] : []))
    .join(' ');
}

export function exists(at: AttributePath): Condition {
  return (terms) => `attribute_exists(${terms.path(at)})`;
}

export function absent(at: AttributePath): Condition {
  return (terms) => `attribute_not_exists(${terms.path(at)})`;
}

export function equals(at: AttributePath, value: unknown): Condition {
  return (terms) => `${terms.path(at)} = ${terms.value(value)}`;
}

/** Also true if the value is missing. */
export function differs(at: AttributePath, value: unknown): Condition {
  return (terms) => `${terms.path(at)} <> ${terms.value(value)}`;
}

export function isOneOf(at: AttributePath, values: readonly unknown[]): Condition {
  return (terms) => `${terms.path(at)} IN (${values.map((value) => terms.value(value)).join(', ')})`;
}

export function isBelow(at: AttributePath, limit: number): Condition {
  return (terms) => `${terms.path(at)} < ${terms.value(limit)}`;
}

export function isAtMost(at: AttributePath, limit: number): Condition {
  return (terms) => `${terms.path(at)} <= ${terms.value(limit)}`;
}

/** @param count of the entries of a map, list or set */
export function hasSize(at: AttributePath, count: number): Condition {
  return (terms) => `size(${terms.path(at)}) = ${terms.value(count)}`;
}

export function allOf(...conditions: readonly Condition[]): Condition {
  return (terms) => conditions.map((condition) => `(${condition(terms)})`).join(' AND ');
}

export function anyOf(...conditions: readonly Condition[]): Condition {
  return (terms) => conditions.map((condition) => `(${condition(terms)})`).join(' OR ');
}
