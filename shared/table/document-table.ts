import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { type ClientConfig, hubClient } from '../aws/clients.ts';

/** The document client as a constructor, so that the pool of hub clients keeps one of it. */
class DocumentClient extends DynamoDBDocumentClient {
  constructor(config: ClientConfig) {
    super(new DynamoDBClient(config), { marshallOptions: { removeUndefinedValues: true } });
  }
}

export function documentClient(): DynamoDBDocumentClient {
  return hubClient(DocumentClient);
}

/** Runs a conditional write; false if the condition did not hold. */
export async function holds(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
