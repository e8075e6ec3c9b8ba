import { CreateTableCommand, DynamoDBClient, type CreateTableCommandInput } from '@aws-sdk/client-dynamodb';
import { readServerlessFile, resourceOf } from './serverless-file.ts';

/** Creates the table as serverless.yml declares it, less what dynalite does not know (recovery, encryption, TTL). */
export async function createTable(endpoint: string, tableName: string): Promise<void> {
  const declared = resourceOf(readServerlessFile(), 'RunsTable') as unknown as CreateTableCommandInput;
  const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, BillingMode } = declared;
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
