import {
  CreateDatabaseCommand,
  CreateTableCommand,
  DeleteDatabaseCommand,
  DeleteTableCommand,
  GetDatabaseCommand,
  GetTableCommand,
  GetTagsCommand,
  type GlueClient,
  type TableInput,
  UpdateTableCommand,
} from '@aws-sdk/client-glue';
import { ownership, ownerTags } from '../aws/tags.ts';
import { absentIf, isAwsError } from '../errors/errors.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import type { Permission, StepChange } from '../step/contract.ts';
import { ownDatabase, ownDatabasePrefix, ownTableName } from './own-table.ts';
import type { Column } from './report-kind.ts';
import { glueArn, tablesIn } from './report-table.ts';

const ours = [
  `${glueArn}:catalog`,
  `${glueArn}:database/${ownDatabasePrefix}*`,
  `${glueArn}:table/${ownDatabasePrefix}*/*`,
] as const;

export const ownTablePermissions = {
  write: {
    actions: ['glue:CreateDatabase', 'glue:CreateTable', 'glue:GetDatabase', 'glue:GetTable', 'glue:UpdateTable'],
    resources: ours,
  },
  tags: { actions: ['glue:GetTags', 'glue:TagResource'], resources: [`${glueArn}:database/${ownDatabasePrefix}*`] },
  /** Glue asks for the rights on everything that a deleted database may hold. */
  remove: {
    actions: ['glue:DeleteDatabase', 'glue:DeleteTable', 'glue:GetDatabase', 'glue:GetTable', 'glue:GetTables'],
    resources: [...ours, `${glueArn}:userDefinedFunction/${ownDatabasePrefix}*/*`],
  },
} as const satisfies Record<string, Permission>;

/** The account and region of the catalog, and the report whose table it has. */
export interface OwnTablePlace {
  accountId: string;
  region: string;
  reportName: string;
}

/** The table under our name; somebody else may have made it. */
export interface SeenTable {
  columns: Column[];
  location: string;
  /** Tables have no tags, so our marks are among the parameters. */
  parameters: Record<string, string>;
}

export interface SeenOwnTable {
  /** Of the database under our name; undefined if there is none. */
  database: Ownership | undefined;
  table: SeenTable | undefined;
}

export async function readOwnTable(glue: GlueClient, place: OwnTablePlace, owner: Owner): Promise<SeenOwnTable> {
  const database = await databaseOwnership(glue, place, owner);
  if (!database) return { database, table: undefined };
  const get = new GetTableCommand({
    DatabaseName: ownDatabase(place.reportName),
    Name: ownTableName(place.reportName),
  });
  const answer = await absentIf(['EntityNotFoundException'], () => glue.send(get));
  if (!answer?.Table) return { database, table: undefined };
  const { StorageDescriptor: storage, Parameters: parameters = {} } = answer.Table;
  return {
    database,
    table: {
      columns: (storage?.Columns ?? []).map(({ Name: name = '', Type: type = '' }) => ({ name, type })),
      location: storage?.Location ?? '',
      parameters,
    },
  };
}

async function databaseOwnership(
  glue: GlueClient,
  { accountId, region, reportName }: OwnTablePlace,
  owner: Owner,
): Promise<Ownership | undefined> {
  const Name = ownDatabase(reportName);
  const found = await absentIf(['EntityNotFoundException'], () => glue.send(new GetDatabaseCommand({ Name })));
  if (!found) return undefined;
  const ResourceArn = databaseArn(accountId, region, reportName);
  const tags = await absentIf(['EntityNotFoundException'], () => glue.send(new GetTagsCommand({ ResourceArn })));
  return tags && ownership(tags.Tags ?? {}, owner);
}

export function databaseArn(accountId: string, region: string, reportName: string): string {
  return `arn:aws:glue:${region}:${accountId}:database/${ownDatabase(reportName)}`;
}

export interface OwnTableInput extends SeenTable {
  partitionKeys: readonly string[];
}

export type OwnTableChange =
  | (StepChange & { action: 'create-database' })
  | (StepChange & { action: 'create-table' | 'update-table'; table: OwnTableInput });

/** @returns `not-changed` if another run has created it meanwhile */
export async function applyOwnTable(
  glue: GlueClient,
  reportName: string,
  change: OwnTableChange,
  owner: Owner,
): Promise<'changed' | 'not-changed'> {
  const DatabaseName = ownDatabase(reportName);
  const Description = `Athena table of the Cost and Usage Report ${reportName}`;
  try {
    switch (change.action) {
      case 'create-database': {
        const DatabaseInput = { Name: DatabaseName, Description };
        await glue.send(new CreateDatabaseCommand({ DatabaseInput, Tags: ownerTags(owner) }));
        break;
      }
      case 'create-table':
        await glue.send(new CreateTableCommand({ DatabaseName, TableInput: toTableInput(reportName, change.table) }));
        break;
      case 'update-table':
        await glue.send(new UpdateTableCommand({ DatabaseName, TableInput: toTableInput(reportName, change.table) }));
    }
    return 'changed';
  } catch (error) {
    if (isAwsError(error, 'AlreadyExistsException')) return 'not-changed';
    throw error;
  }
}

function toTableInput(reportName: string, { columns, location, parameters, partitionKeys }: OwnTableInput): TableInput {
  return {
    Name: ownTableName(reportName),
    TableType: 'EXTERNAL_TABLE',
    PartitionKeys: partitionKeys.map((Name) => ({ Name, Type: 'string' })),
    Parameters: parameters,
    StorageDescriptor: {
      Columns: columns.map(({ name, type }) => ({ Name: name, Type: type })),
      Location: location,
      InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
      OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
      SerdeInfo: {
        SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
        Parameters: { 'serialization.format': '1' },
      },
    },
  };
}

/** Names of the other tables and views in our database. */
export async function otherTables(glue: GlueClient, reportName: string): Promise<string[]> {
  const tables = await tablesIn(glue, ownDatabase(reportName));
  return tables.map(({ Name = '' }) => Name).filter((name) => name !== ownTableName(reportName));
}

export async function deleteOwnTable(glue: GlueClient, reportName: string): Promise<void> {
  const remove = new DeleteTableCommand({ DatabaseName: ownDatabase(reportName), Name: ownTableName(reportName) });
  await absentIf(['EntityNotFoundException'], () => glue.send(remove));
}

export async function deleteOwnDatabase(glue: GlueClient, reportName: string): Promise<void> {
  const remove = new DeleteDatabaseCommand({ Name: ownDatabase(reportName) });
  await absentIf(['EntityNotFoundException'], () => glue.send(remove));
}
