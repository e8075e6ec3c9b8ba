import type {
  GetTableMetadataCommandInput,
  ListTableMetadataCommandInput,
  TableMetadata,
} from '@aws-sdk/client-athena';
import { AwsError, type CallContext, operation, type Permission } from '../../service.ts';
import { findDatabase, findTable, glueArn, type Table } from '../glue/state.ts';

/** These two operations read the Glue catalog: the caller needs the permission of both Athena and Glue. */
export const metadataOperations = {
  GetTableMetadata: operation<GetTableMetadataCommandInput, object>({
    writes: false,
    permissions: ({ DatabaseName = '', TableName = '', CatalogName }, cx) => [
      onCatalog(cx, 'GetTableMetadata', CatalogName),
      onGlue(cx, 'GetTable', DatabaseName, TableName),
    ],
    run: ({ DatabaseName, TableName }, cx) => ({
      TableMetadata: described(metadata(() => findTable(cx, DatabaseName, TableName))),
    }),
  }),

  ListTableMetadata: operation<ListTableMetadataCommandInput, object>({
    writes: false,
    permissions: ({ DatabaseName = '', CatalogName }, cx) => [
      onCatalog(cx, 'ListTableMetadata', CatalogName),
      onGlue(cx, 'GetTables', DatabaseName, '*'),
    ],
    run({ DatabaseName, MaxResults = 50, NextToken = '0' }, cx) {
      const all = [...metadata(() => findDatabase(cx, DatabaseName)).tables.values()];
      const end = Number(NextToken) + MaxResults;
      return {
        TableMetadataList: all.slice(Number(NextToken), end).map(described),
        ...(end < all.length && { NextToken: String(end) }),
      };
    },
  }),
};

function metadata<T>(find: () => T): T {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new AwsError('MetadataException', `${error.message} (Service: AmazonDataCatalog; Error Code: ${error.code})`);
  }
}

function onCatalog({ caller, region }: CallContext, action: string, catalog = 'AwsDataCatalog'): Permission {
  const resources = [`arn:aws:athena:${region}:${caller.accountId}:datacatalog/${catalog}`];
  return { action: `athena:${action}`, resources };
}

function onGlue(cx: CallContext, action: string, database: string, table: string): Permission {
  const paths = ['catalog', `database/${database}`, `table/${database}/${table}`];
  return { action: `glue:${action}`, resources: paths.map((path) => glueArn(cx, path)) };
}

function described({ input, createdAt }: Table): TableMetadata {
  return {
    Name: input.Name,
    TableType: input.TableType,
    CreateTime: new Date(createdAt),
    Columns: (input.StorageDescriptor?.Columns ?? []).map(({ Name = '', Type = '' }) => ({ Name, Type })),
    PartitionKeys: (input.PartitionKeys ?? []).map(({ Name = '', Type = '' }) => ({ Name, Type })),
    Parameters: { ...input.Parameters, location: input.StorageDescriptor?.Location ?? '' },
  };
}
