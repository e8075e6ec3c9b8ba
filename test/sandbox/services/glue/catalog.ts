import type {
  CreateDatabaseCommandInput,
  CreateTableCommandInput,
  DeleteDatabaseCommandInput,
  DeleteTableCommandInput,
  GetDatabaseCommandInput,
  GetDatabasesCommandInput,
  GetPartitionCommandInput,
  GetPartitionsCommandInput,
  GetTableCommandInput,
  GetTablesCommandInput,
  Table as GlueTable,
  UpdateTableCommandInput,
} from '@aws-sdk/client-glue';
import { AwsError, type CallContext, type Operation, operation, type Permission } from '../../service.ts';
import { checkName, type Database, findDatabase, findTable, glueArn, type Table } from './state.ts';

interface InDatabase {
  Name?: string | undefined;
  DatabaseName?: string | undefined;
  TableName?: string | undefined;
}

/** Glue requires a permission on the whole path: catalog, database and table. */
function onPath(cx: CallContext, action: string, database = '', table?: string): Permission[] {
  const resources = ['catalog', `database/${database}`, ...(table === undefined ? [] : [`table/${database}/${table}`])];
  return [{ action: `glue:${action}`, resources: resources.map((resource) => glueArn(cx, resource)) }];
}

function onTable(access: 'read' | 'write', action: string, run: (input: never, cx: CallContext) => object): Operation {
  return operation<InDatabase, object>({
    writes: access === 'write',
    permissions: ({ DatabaseName, TableName, Name }, cx) => onPath(cx, action, DatabaseName, TableName ?? Name ?? '*'),
    run: (input, cx) => run(input as never, cx),
  });
}

export const catalogOperations = {
  GetDatabase: operation<GetDatabaseCommandInput, object>({
    writes: false,
    permissions: ({ Name }, cx) => onPath(cx, 'GetDatabase', Name),
    run: ({ Name }, cx) => ({ Database: described(findDatabase(cx, Name), cx) }),
  }),

  GetDatabases: operation<GetDatabasesCommandInput, object>({
    writes: false,
    permissions: (_, cx) => [{ action: 'glue:GetDatabases', resources: [glueArn(cx, 'catalog')] }],
    run: (input, cx) => {
      const all = [...cx.world.glue.catalog(cx.caller.accountId, cx.region).databases.values()];
      const { items, next } = page(all, input);
      return { DatabaseList: items.map((database) => described(database, cx)), ...next };
    },
  }),

  CreateDatabase: operation<CreateDatabaseCommandInput, object>({
    writes: true,
    permissions: ({ DatabaseInput }, cx) => onPath(cx, 'CreateDatabase', DatabaseInput?.Name),
    run({ DatabaseInput, Tags }, cx) {
      const catalog = cx.world.glue.catalog(cx.caller.accountId, cx.region);
      const name = requiredName(DatabaseInput?.Name);
      if (catalog.databases.has(name)) throw new AwsError('AlreadyExistsException', 'Database already exists.');
      if (cx.world.lakeformation.refuses(cx, 'databases'))
        throw new AwsError(
          'AccessDeniedException',
          'Insufficient Lake Formation permission(s): Required Create Database on Catalog',
        );
      catalog.databases.set(name, {
        input: { ...DatabaseInput, Name: name },
        createdAt: cx.now,
        tables: new Map(),
      });
      if (Tags) catalog.tags.set(glueArn(cx, `database/${name}`), Tags);
      return {};
    },
  }),

  DeleteDatabase: operation<DeleteDatabaseCommandInput, object>({
    writes: true,
    permissions: ({ Name }, cx) => onPath(cx, 'DeleteDatabase', Name, '*'),
    run({ Name }, cx) {
      const { input } = findDatabase(cx, Name);
      cx.world.glue.catalog(cx.caller.accountId, cx.region).databases.delete(input.Name);
      return {};
    },
  }),

  GetTable: onTable('read', 'GetTable', ({ DatabaseName, Name }: GetTableCommandInput, cx) => ({
    Table: describedTable(findTable(cx, DatabaseName, Name), DatabaseName, cx),
  })),

  GetTables: operation<GetTablesCommandInput, object>({
    writes: false,
    permissions: ({ DatabaseName }, cx) => onPath(cx, 'GetTables', DatabaseName, '*'),
    run(input, cx) {
      const pattern = new RegExp(`^(${input.Expression ?? '.*'})$`, 'i');
      const all = [...findDatabase(cx, input.DatabaseName).tables.values()].filter(({ input: { Name } }) =>
        pattern.test(Name),
      );
      const { items, next } = page(all, input);
      return { TableList: items.map((table) => describedTable(table, input.DatabaseName, cx)), ...next };
    },
  }),

  CreateTable: operation<CreateTableCommandInput, object>({
    writes: true,
    permissions: ({ DatabaseName, TableInput }, cx) =>
      onPath(cx, 'CreateTable', DatabaseName, TableInput?.Name?.toLowerCase() ?? ''),
    run({ DatabaseName, TableInput }, cx) {
      const { tables } = findDatabase(cx, DatabaseName);
      const name = requiredName(TableInput?.Name);
      if (tables.has(name)) throw new AwsError('AlreadyExistsException', 'Table already exists.');
      tables.set(name, {
        input: { ...TableInput, Name: name },
        createdAt: cx.now,
        updatedAt: cx.now,
        partitions: new Map(),
      });
      return {};
    },
  }),

  /** Replaces the table's definition; its partitions stay. */
  UpdateTable: operation<UpdateTableCommandInput, object>({
    writes: true,
    permissions: ({ DatabaseName, TableInput }, cx) =>
      onPath(cx, 'UpdateTable', DatabaseName, TableInput?.Name?.toLowerCase() ?? ''),
    run({ DatabaseName, TableInput }, cx) {
      const table = findTable(cx, DatabaseName, TableInput?.Name);
      table.input = { ...TableInput, Name: table.input.Name };
      table.updatedAt = cx.now;
      return {};
    },
  }),

  DeleteTable: onTable('write', 'DeleteTable', ({ DatabaseName, Name }: DeleteTableCommandInput, cx) => {
    const { input } = findTable(cx, DatabaseName, Name);
    findDatabase(cx, DatabaseName).tables.delete(input.Name);
    return {};
  }),

  GetPartitions: onTable('read', 'GetPartitions', (input: GetPartitionsCommandInput, cx) => {
    const table = findTable(cx, input.DatabaseName, input.TableName);
    const { items, next } = page(selected(table, input.Expression), input);
    return { Partitions: items, ...next };
  }),

  GetPartition: onTable('read', 'GetPartition', (input: GetPartitionCommandInput, cx) => {
    const table = findTable(cx, input.DatabaseName, input.TableName);
    const partition = table.partitions.get((input.PartitionValues ?? []).join('/'));
    if (!partition) throw new AwsError('EntityNotFoundException', 'Cannot find partition.');
    return { Partition: partition };
  }),
};

function requiredName(name: string | undefined): string {
  if (!name)
    throw new AwsError('InvalidInputException', "1 validation error detected: Value at 'name' must not be null");
  checkName(name);
  return name.toLowerCase();
}

/** Equalities joined by `and`, the only supported expressions: `year='2026' and month='11'`. */
function selected({ input, partitions }: Table, expression = '') {
  const conditions = [...expression.matchAll(/(\w+)\s*=\s*'([^']*)'/g)];
  const keys = (input.PartitionKeys ?? []).map(({ Name }) => Name);
  return [...partitions.values()].filter(({ Values = [] }) =>
    conditions.every(([, key, value]) => Values[keys.indexOf(key)] === value),
  );
}

function page<Item>(all: Item[], input: { NextToken?: string | undefined; MaxResults?: number | undefined }) {
  const start = Number(input.NextToken ?? 0);
  if (!Number.isInteger(start)) throw new AwsError('InvalidInputException', 'Invalid NextToken');
  const end = start + (input.MaxResults ?? 100);
  return { items: all.slice(start, end), next: end < all.length ? { NextToken: String(end) } : {} };
}

function described({ input, createdAt }: Database, { caller }: CallContext) {
  return { ...input, CreateTime: new Date(createdAt), CatalogId: caller.accountId };
}

function describedTable({ input, createdAt, updatedAt }: Table, database = '', { caller }: CallContext): GlueTable {
  return {
    ...input,
    DatabaseName: database.toLowerCase(),
    CreateTime: new Date(createdAt),
    UpdateTime: new Date(updatedAt),
    CatalogId: caller.accountId,
    VersionId: '0',
  };
}
