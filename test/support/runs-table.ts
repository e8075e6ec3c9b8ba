import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { startTables } from '../sandbox/index.ts';
import { readServerlessFile, resourceOf } from './serverless-file.ts';

let table: CreateTableCommandInput | undefined;

/** DynamoDB with one table, as serverless.yml declares it. */
export async function startTable(tableName: string) {
  const server = await startTables();
  await createTable(server.endpoint, tableName);
  return server;
}

/** Creates the table as serverless.yml declares it, less recovery, encryption and TTL. */
async function createTable(endpoint: string, tableName: string): Promise<void> {
  // Reading the file takes longer than most tests of the API.
  table ??= resourceOf(readServerlessFile(), 'RunsTable') as unknown as CreateTableCommandInput;
  const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, BillingMode } = table;
  const credentials = { accessKeyId: 'table', secretAccessKey: 'table' };
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials });
  await client.send(
    new CreateTableCommand({
      TableName: tableName,
      AttributeDefinitions,
      KeySchema,
      GlobalSecondaryIndexes,
      BillingMode,
    }),
  );
  client.destroy();
}
