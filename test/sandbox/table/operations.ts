import { AwsError } from '../service.ts';
import { isMet, type Placeholders, project, resolvePath } from './evaluate.ts';
import {
  type Condition,
  type Expression,
  type Operand,
  parseCondition,
  parseProjection,
  parseUpdate,
} from './expressions.ts';
import { type Index, Table, type TableDefinition } from './table.ts';
import { applyUpdate, checkOverlap } from './update.ts';
import { invalid, type Item, sizeOfItem, type Value } from './values.ts';

/** The input members that the operations below read. */
interface Input {
  TableName: string;
  Key?: Item;
  Item?: Item;
  IndexName?: string;
  ConsistentRead?: boolean;
  ConditionExpression?: string;
  UpdateExpression?: string;
  KeyConditionExpression?: string;
  FilterExpression?: string;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, Value>;
  ReturnValues?: string;
  ReturnValuesOnConditionCheckFailure?: string;
  ReturnConsumedCapacity?: string;
  Select?: string;
  Limit?: number;
  ScanIndexForward?: boolean;
  ExclusiveStartKey?: Item;
  RequestItems?: Record<string, { PutRequest?: { Item: Item }; DeleteRequest?: { Key: Item } }[]>;
}

const maxItemBytes = 400 * 1024;
/** A page of a query or scan ends with the item that reaches this number of bytes. */
const maxPageBytes = 1024 * 1024;
const maxBatchWrites = 25;
/** Bytes per read or write unit. */
const readUnit = 4096;
const writeUnit = 1024;

/** The part of DynamoDB that the product uses. An input member that is not modelled fails, so that nothing is silently ignored. */
export class Tables {
  readonly #tables = new Map<string, Table>();

  /** @throws AwsError */
  run(operation: string, input: object): object {
    if (operation === 'CreateTable') return this.#create(input as TableDefinition);
    const run = operations[operation];
    if (!run) throw new AwsError('UnknownOperationException', `the sandbox's table has no operation ${operation}`, 400);
    for (const name of Object.keys(input))
      if (!run.members.includes(name)) throw invalid(`the sandbox's table does not know ${name} of ${operation}`);
    const read = input as Input;
    return run.run(operation === 'BatchWriteItem' ? this.#batch(read) : this.#table(read.TableName), read);
  }

  #create(definition: TableDefinition): object {
    this.#tables.set(definition.TableName, new Table(definition));
    return { TableDescription: { TableName: definition.TableName, TableStatus: 'ACTIVE' } };
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw new AwsError('ResourceNotFoundException', 'Requested resource not found', 400);
    return table;
  }

  #batch({ RequestItems = {} }: Input): Table {
    const [name, ...others] = Object.keys(RequestItems);
    if (name === undefined || others.length > 0) throw invalid("the sandbox's table writes batches to one table");
    return this.#table(name);
  }
}

const expressions = ['ConditionExpression', 'ExpressionAttributeNames', 'ExpressionAttributeValues'];
const writes = [...expressions, 'ReturnValues', 'ReturnValuesOnConditionCheckFailure'];
const reads = ['ProjectionExpression', 'ExpressionAttributeNames', 'ConsistentRead'];
const pages = [
  ...reads,
  'ExpressionAttributeValues',
  'FilterExpression',
  'Limit',
  'ExclusiveStartKey',
  'Select',
  'IndexName',
];

interface TableOperation {
  members: readonly string[];
  run(table: Table, input: Input): object;
}

const operations: Record<string, TableOperation> = {
  GetItem: { members: common('Key', ...reads), run: getItem },
  PutItem: { members: common('Item', ...writes), run: putItem },
  UpdateItem: { members: common('Key', 'UpdateExpression', ...writes), run: updateItem },
  DeleteItem: { members: common('Key', ...writes), run: deleteItem },
  Query: { members: common('KeyConditionExpression', 'ScanIndexForward', ...pages), run: query },
  Scan: { members: common(...pages), run: scan },
  BatchWriteItem: { members: ['RequestItems'], run: batchWriteItem },
};

function common(...members: string[]): string[] {
  return ['TableName', 'ReturnConsumedCapacity', ...members];
}

function getItem(table: Table, input: Input): object {
  const { projection } = parsed(input);
  const item = table.get(keyOf(table, input));
  return {
    ...(item && { Item: projection ? project(item, projection) : item }),
    ...consumed(input, () => readUnits(item ? sizeOfItem(item) : 0, input)),
  };
}

function putItem(table: Table, input: Input): object {
  const { condition, placeholders } = parsed(input);
  const { Item: item = {} } = input;
  const before = table.get(item);
  checkCondition(condition, before, placeholders, input);
  if (sizeOfItem(item) > maxItemBytes) throw invalid('Item size has exceeded the maximum allowed size');
  table.put(item);
  return { ...attributes(input, before, item), ...consumed(input, () => writeUnits(before, item)) };
}

function updateItem(table: Table, input: Input): object {
  const { condition, actions = [], placeholders } = parsed(input);
  const key = keyOf(table, input);
  for (const { path } of actions) {
    const [name] = resolvePath(path, placeholders);
    if (table.main.keys.some((part) => part.name === name))
      throw invalid(
        `One or more parameter values were invalid: Cannot update attribute ${String(name)}. This attribute is part of the key`,
      );
  }
  const before = table.get(key);
  checkCondition(condition, before, placeholders, input);
  const item = applyUpdate(before ?? key, actions, placeholders);
  if (sizeOfItem(item) > maxItemBytes) throw invalid('Item size to update has exceeded the maximum allowed size');
  table.put(item);
  return { ...attributes(input, before, item), ...consumed(input, () => writeUnits(before, item)) };
}

function deleteItem(table: Table, input: Input): object {
  const { condition, placeholders } = parsed(input);
  const key = keyOf(table, input);
  const before = table.get(key);
  checkCondition(condition, before, placeholders, input);
  table.delete(key);
  return { ...attributes(input, before, undefined), ...consumed(input, () => writeUnits(before)) };
}

function batchWriteItem(table: Table, { RequestItems = {} }: Input): object {
  const requests = RequestItems[table.name] ?? [];
  if (requests.length > maxBatchWrites) throw invalid('Too many items requested for the BatchWriteItem call');
  for (const { PutRequest, DeleteRequest } of requests) {
    if (PutRequest) putItem(table, { TableName: table.name, Item: PutRequest.Item });
    if (DeleteRequest) deleteItem(table, { TableName: table.name, Key: DeleteRequest.Key });
  }
  return { UnprocessedItems: {} };
}

function query(table: Table, input: Input): object {
  const index = indexOf(table, input);
  const { keyCondition, placeholders, ...page } = parsed(input);
  if (!keyCondition) throw invalid('Either the KeyConditions or KeyConditionExpression parameter must be specified');
  const partition = partitionOf(keyCondition, index, placeholders);
  const { ExclusiveStartKey: start, ScanIndexForward: isForward = true } = input;
  const entries = index.query(partition, isForward, start && { item: start, id: table.idOf(start) });
  const inRange = entries.filter(({ item }) => isMet(keyCondition, item, placeholders));
  return pageOf(table, index, inRange, input, { ...page, placeholders });
}

/** Scans the table itself, not its indexes. */
function scan(table: Table, input: Input): object {
  if (input.IndexName !== undefined) throw invalid("the sandbox's table scans no index");
  const { ExclusiveStartKey: start } = input;
  const all = table.main.all();
  const from = start ? all.findIndex(({ id }) => id === table.idOf(start)) + 1 : 0;
  return pageOf(table, table.main, all.slice(from), input, parsed(input));
}

function pageOf(
  table: Table,
  index: Index,
  entries: readonly { item: Item; size: number }[],
  input: Input,
  { filter, projection, placeholders }: Pick<Parsed, 'filter' | 'projection' | 'placeholders'>,
): object {
  let size = 0;
  let count = 0;
  for (const entry of entries) {
    if (count >= (input.Limit ?? Infinity) || size >= maxPageBytes) break;
    size += entry.size;
    count++;
  }
  const last = entries[count - 1]?.item;
  const isCut = count >= (input.Limit ?? Infinity) || size >= maxPageBytes;
  const items = entries
    .slice(0, count)
    .filter(({ item }) => !filter || isMet(filter, item, placeholders))
    .map(({ item }) => (projection ? project(item, projection) : item));
  const keys = [...table.main.keys, ...index.keys].map(({ name }) => [name]);
  return {
    ...(input.Select !== 'COUNT' && { Items: items }),
    Count: items.length,
    ScannedCount: count,
    ...(isCut && last && { LastEvaluatedKey: project(last, keys) }),
    ...consumed(input, () => readUnits(size, input)),
  };
}

function indexOf(table: Table, { IndexName: name, ConsistentRead: isConsistent }: Input): Index {
  if (name === undefined) return table.main;
  const index = table.indexes.get(name);
  if (!index) throw invalid(`The table does not have the specified index: ${name}`);
  if (isConsistent) throw invalid('Consistent reads are not supported on global secondary indexes');
  return index;
}

/** The value of the partition key, which a query must give; it may also restrict the sort key. */
function partitionOf(condition: Condition, { keys }: Index, placeholders: Placeholders): Value {
  const [partitionKey, sortKey] = keys.map(({ name }) => name);
  let partition: Value | undefined;
  for (const part of condition.kind === 'and' ? condition.parts : [condition]) {
    const [operand, value] = keyOperands(part);
    const name = operand?.kind === 'path' ? resolvePath(operand.path, placeholders).join('.') : '';
    if (name === partitionKey && part.kind === 'compare' && part.operator === '=' && value?.kind === 'value')
      partition = placeholders.values[value.name];
    else if (name !== sortKey || part.kind === 'in' || (part.kind === 'compare' && part.operator === '<>'))
      throw invalid('Query key condition not supported');
  }
  if (!partition) throw invalid(`Query condition missed key schema element: ${partitionKey ?? ''}`);
  return partition;
}

function keyOperands(part: Condition): (Operand | undefined)[] {
  switch (part.kind) {
    case 'compare':
      return [part.left, part.right];
    case 'between':
      return [part.operand, part.from];
    case 'call':
      return part.name === 'begins_with' ? part.args : [];
    case 'and':
    case 'or':
    case 'not':
    case 'in':
      return [];
  }
}

interface Parsed {
  condition?: Condition;
  keyCondition?: Condition;
  filter?: Condition;
  actions?: ReturnType<typeof parseUpdate>['tree'];
  projection?: ReturnType<typeof parseProjection>['tree'];
  placeholders: Placeholders;
}

/** The input's expressions. @throws AwsError ValidationException unless they use exactly the placeholders that are given */
function parsed(input: Input): Parsed {
  const { ExpressionAttributeNames: names = {}, ExpressionAttributeValues: values = {} } = input;
  const placeholders = { names, values };
  const used = new Set<string>();
  const read = <Tree>(member: keyof Input, parse: (text: string) => Expression<Tree>): Tree | undefined => {
    const text = input[member];
    if (typeof text !== 'string') return undefined;
    try {
      const expression = parse(text);
      for (const name of expression.names) {
        if (!Object.hasOwn(names, name))
          throw invalid(
            `An expression attribute name used in the document path is not defined; attribute name: ${name}`,
          );
        used.add(name);
      }
      for (const name of expression.values) {
        if (!Object.hasOwn(values, name))
          throw invalid(`An expression attribute value used in expression is not defined; attribute value: ${name}`);
        used.add(name);
      }
      if (member === 'UpdateExpression') checkOverlap(parseUpdate(text).tree, placeholders);
      return expression.tree;
    } catch (error) {
      if (error instanceof AwsError) throw invalid(`Invalid ${member}: ${error.message}`);
      throw error;
    }
  };
  const condition = read('ConditionExpression', parseCondition);
  const keyCondition = read('KeyConditionExpression', parseCondition);
  const filter = read('FilterExpression', parseCondition);
  const actions = read('UpdateExpression', parseUpdate);
  const projection = read('ProjectionExpression', parseProjection)?.map((path) => resolvePath(path, placeholders));
  for (const member of ['ExpressionAttributeNames', 'ExpressionAttributeValues'] as const) {
    const given = input[member] && Object.keys(input[member]);
    if (given?.length === 0) throw invalid(`${member} must not be empty`);
    const unused = given?.filter((name) => !used.has(name)) ?? [];
    if (unused.length > 0)
      throw invalid(`Value provided in ${member} unused in expressions: keys: {${unused.join(', ')}}`);
  }
  return {
    ...(condition && { condition }),
    ...(keyCondition && { keyCondition }),
    ...(filter && { filter }),
    ...(actions && { actions }),
    ...(projection && { projection }),
    placeholders,
  };
}

function keyOf(table: Table, { Key: key = {} }: Input): Item {
  const names = table.main.keys.map(({ name }) => name);
  if (Object.keys(key).length !== names.length || !names.every((name) => key[name]))
    throw invalid('The provided key element does not match the schema');
  return key;
}

function checkCondition(
  condition: Condition | undefined,
  before: Item | undefined,
  placeholders: Placeholders,
  { ReturnValuesOnConditionCheckFailure: shows }: Input,
): void {
  if (!condition || isMet(condition, before ?? {}, placeholders)) return;
  const error = new AwsError('ConditionalCheckFailedException', 'The conditional request failed', 400);
  throw shows === 'ALL_OLD' && before ? Object.assign(error, { item: before }) : error;
}

function attributes({ ReturnValues: which = 'NONE' }: Input, before?: Item, after?: Item): object {
  if (which !== 'NONE' && which !== 'ALL_OLD' && which !== 'ALL_NEW')
    throw invalid(`the sandbox's table does not return ${which}`);
  const shown = which === 'ALL_OLD' ? before : which === 'ALL_NEW' ? after : undefined;
  return shown ? { Attributes: shown } : {};
}

function readUnits(size: number, { ConsistentRead: isConsistent }: Input): number {
  return Math.max(1, Math.ceil(size / readUnit)) * (isConsistent ? 1 : 0.5);
}

/** Write units of the table alone; the indexes consume write units too. */
function writeUnits(...items: (Item | undefined)[]): number {
  return Math.max(1, ...items.map((item) => Math.ceil(sizeOfItem(item ?? {}) / writeUnit)));
}

function consumed({ TableName, ReturnConsumedCapacity: asked = 'NONE' }: Input, units: () => number): object {
  return asked === 'NONE' ? {} : { ConsumedCapacity: { TableName, CapacityUnits: units() } };
}
