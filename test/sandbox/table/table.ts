import { project } from './evaluate.ts';
import { compare, invalid, type Item, sizeOfItem, type Type, typeOf, type Value } from './values.ts';

interface KeyPart {
  AttributeName: string;
  KeyType: 'HASH' | 'RANGE';
}

/** The part of CreateTable's input that the table stores. */
export interface TableDefinition {
  TableName: string;
  AttributeDefinitions: { AttributeName: string; AttributeType: Type }[];
  KeySchema: KeyPart[];
  GlobalSecondaryIndexes?: {
    IndexName: string;
    KeySchema: KeyPart[];
    Projection: { ProjectionType: 'ALL' | 'KEYS_ONLY' | 'INCLUDE'; NonKeyAttributes?: string[] };
  }[];
}

class Entry {
  /** The table's key as text; unique. */
  readonly id: string;
  readonly item: Item;
  #size: number | undefined;

  constructor(id: string, item: Item) {
    this.id = id;
    this.item = item;
  }

  /** Bytes. Items are written more often than they are read in pages. */
  get size(): number {
    return (this.#size ??= sizeOfItem(this.item));
  }
}

/** The items of one partition of the table or of an index, in the order of their sort key. */
class Partition {
  readonly #entries = new Map<string, Entry>();
  #sorted: Entry[] | undefined;

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  set(entry: Entry): void {
    // An item's position in the table is fixed; in an index its sort key may change.
    this.#entries.set(entry.id, entry);
    this.#sorted = undefined;
  }

  delete(id: string): void {
    if (this.#entries.delete(id)) this.#sorted = undefined;
  }

  sorted(sortKey: string | undefined): readonly Entry[] {
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => orderOf(sortKey, a.item, a.id, b.item, b.id));
    return this.#sorted;
  }
}

function orderOf(sortKey: string | undefined, a: Item, aId: string, b: Item, bId: string): number {
  const [left, right] = sortKey === undefined ? [] : [a[sortKey], b[sortKey]];
  return ((left && right && compare(left, right)) ?? 0) || (aId < bId ? -1 : aId > bId ? 1 : 0);
}

/** The table itself or one of its indexes. */
export class Index {
  readonly keys: readonly { name: string; type: Type }[];
  readonly #partitions = new Map<string, Partition>();
  readonly #project: (item: Item) => Item;

  constructor(keys: readonly { name: string; type: Type }[], projectItem: (item: Item) => Item) {
    this.keys = keys;
    this.#project = projectItem;
  }

  get sortKey(): string | undefined {
    return this.keys[1]?.name;
  }

  /** Items that lack one of the keys are not in the index. */
  has(item: Item): boolean {
    return this.keys.every(({ name }) => item[name] !== undefined);
  }

  get(item: Item, id: string): Entry | undefined {
    return this.#partitions.get(this.#partitionOf(item))?.get(id);
  }

  set(item: Item, id: string): void {
    if (!this.has(item)) return;
    const key = this.#partitionOf(item);
    const partition = this.#partitions.get(key) ?? new Partition();
    this.#partitions.set(key, partition);
    partition.set(new Entry(id, this.#project(item)));
  }

  delete(item: Item, id: string): void {
    if (!this.has(item)) return;
    const key = this.#partitionOf(item);
    const partition = this.#partitions.get(key);
    partition?.delete(id);
    if (partition?.isEmpty) this.#partitions.delete(key);
  }

  /** Entries of one partition from after the position of `start`. */
  query(partition: Value, isForward: boolean, start?: { item: Item; id: string }): readonly Entry[] {
    const sorted = this.#partitions.get(textOf(partition))?.sorted(this.sortKey) ?? [];
    const entries = isForward ? sorted : sorted.toReversed();
    if (!start) return entries;
    const sign = isForward ? 1 : -1;
    return entries.filter(({ item, id }) => sign * orderOf(this.sortKey, item, id, start.item, start.id) > 0);
  }

  /** All entries, ordered by partition. */
  all(): readonly Entry[] {
    return [...this.#partitions.values()].flatMap((partition) => partition.sorted(this.sortKey));
  }

  #partitionOf(item: Item): string {
    const value = item[this.keys[0]?.name ?? ''];
    return value ? textOf(value) : '';
  }
}

function textOf(value: Value): string {
  return `${typeOf(value)} ${value.N === undefined ? (value.S ?? value.B ?? '') : Number(value.N)}`;
}

/** The items of one table and their copies in its indexes. Items are never changed, only replaced. */
export class Table {
  readonly name: string;
  readonly main: Index;
  readonly indexes: ReadonlyMap<string, Index>;

  constructor(definition: TableDefinition) {
    const typeOfKey = new Map(
      definition.AttributeDefinitions.map(({ AttributeName, AttributeType }) => [AttributeName, AttributeType]),
    );
    const keysOf = (schema: readonly KeyPart[]) =>
      schema.map(({ AttributeName: name }) => ({ name, type: typeOfKey.get(name) ?? 'S' }));
    this.name = definition.TableName;
    this.main = new Index(keysOf(definition.KeySchema), (item) => item);
    this.indexes = new Map(
      definition.GlobalSecondaryIndexes?.map(({ IndexName, KeySchema, Projection }) => {
        const kept = [...definition.KeySchema, ...KeySchema].map(({ AttributeName }) => AttributeName);
        const paths = [...kept, ...(Projection.NonKeyAttributes ?? [])].map((name) => [name]);
        const isWhole = Projection.ProjectionType === 'ALL';
        return [IndexName, new Index(keysOf(KeySchema), (item) => (isWhole ? item : project(item, paths)))];
      }),
    );
  }

  /** The key of an item or key. @throws AwsError ValidationException if the key does not match the table's declaration */
  idOf(key: Item): string {
    return this.main.keys
      .map(({ name, type }) => {
        const value = key[name];
        if (!value) throw invalid(`One or more parameter values were invalid: Missing the key ${name} in the item`);
        if (typeOf(value) !== type)
          throw invalid(
            `One or more parameter values were invalid: Type mismatch for key ${name} expected: ${type} actual: ${typeOf(value)}`,
          );
        if (value.S === '')
          throw invalid(
            `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${name}`,
          );
        return JSON.stringify(textOf(value));
      })
      .join();
  }

  get(key: Item): Item | undefined {
    return this.main.get(key, this.idOf(key))?.item;
  }

  put(item: Item): void {
    const id = this.idOf(item);
    for (const index of this.indexes.values()) checkIndexKey(index, item);
    this.delete(item);
    for (const index of [this.main, ...this.indexes.values()]) index.set(item, id);
  }

  delete(key: Item): void {
    const id = this.idOf(key);
    const before = this.main.get(key, id)?.item;
    if (before) for (const index of [this.main, ...this.indexes.values()]) index.delete(before, id);
  }
}

function checkIndexKey({ keys }: Index, item: Item): void {
  for (const { name, type } of keys) {
    const value = item[name];
    if (value && typeOf(value) !== type)
      throw invalid(
        `One or more parameter values were invalid: Type mismatch for Index Key ${name} Expected: ${type} Actual: ${typeOf(value)}`,
      );
    if (value?.S === '')
      throw invalid(
        `One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexKey: ${name}`,
      );
  }
}
