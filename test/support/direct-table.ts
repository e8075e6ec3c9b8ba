import * as dynamodb from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { postInProcess } from './in-process-http.ts';

const operations = new Map<unknown, string>([
  [DeleteCommand, 'DeleteItem'],
  [GetCommand, 'GetItem'],
  [PutCommand, 'PutItem'],
  [QueryCommand, 'Query'],
  [ScanCommand, 'Scan'],
  [UpdateCommand, 'UpdateItem'],
]);
const valuesSent = ['ExclusiveStartKey', 'ExpressionAttributeValues', 'Item', 'Key'] as const;
const valuesRead = ['Attributes', 'Item', 'LastEvaluatedKey'] as const;

/**
 * Lets document clients ask a table of this process without the SDK's endpoint rules, signature and retries: half of the suite's
 * requests go to the table, and these cost ten times as much as the table's answer. Marshalling and exceptions are the SDK's. The SDK
 * sends for itself what another process answers, and what a server does not answer with 200 or 400.
 */
export function useDirectTable(): void {
  const send = Reflect.get(DynamoDBDocumentClient.prototype, 'send') as (...args: unknown[]) => unknown;
  Object.assign(DynamoDBDocumentClient.prototype, {
    async send(this: DynamoDBDocumentClient, command: Command, ...rest: unknown[]): Promise<unknown> {
      const answer = rest.length === 0 ? await askDirectly(this, command) : undefined;
      return answer ?? Reflect.apply(send, this, [command, ...rest]);
    },
  });
}

interface Command {
  constructor: unknown;
  input: Record<string, unknown>;
}

async function askDirectly({ config }: DynamoDBDocumentClient, command: Command): Promise<object | undefined> {
  const operation = operations.get(command.constructor);
  const url = await endpointOf(config);
  if (operation === undefined || !url) return undefined;
  const input = { ...command.input };
  for (const name of valuesSent)
    if (input[name] !== undefined) input[name] = marshall(input[name], config.translateConfig?.marshallOptions);
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}` };
  const answer = await postInProcess(url, headers, JSON.stringify(input));
  if (answer?.status === 400) throw exceptionOf(JSON.parse(answer.text) as Refusal);
  return answer?.status === 200 ? outputOf(JSON.parse(answer.text) as Record<string, unknown>) : undefined;
}

/** Where the client sends to, as the SDK resolves it: from its own configuration, else from the environment. */
async function endpointOf({ endpoint }: DynamoDBDocumentClient['config']): Promise<URL | undefined> {
  if (!endpoint) {
    const { AWS_ENDPOINT_URL_DYNAMODB: url } = process.env;
    return url === undefined ? undefined : new URL(url);
  }
  const { protocol, hostname, port = '' } = await endpoint();
  return new URL(`${protocol}//${hostname}:${port}`);
}

function outputOf(output: Record<string, unknown>): Record<string, unknown> {
  for (const name of valuesRead) if (output[name] !== undefined) output[name] = unmarshall(output[name] as Attributes);
  if (output.Items) output.Items = (output.Items as Attributes[]).map((item) => unmarshall(item));
  return { $metadata: {}, ...output };
}

type Attributes = Record<string, dynamodb.AttributeValue>;

interface Refusal {
  __type: string;
  message: string;
}

/** The SDK's own class of the exception, so that `instanceof` works. */
function exceptionOf({ __type, message, ...members }: Refusal): Error {
  const name = __type.split('#').at(-1) ?? '';
  const common = { message, $metadata: { httpStatusCode: 400 } };
  const Known = (dynamodb as unknown as Record<string, (new (options: object) => Error) | undefined>)[name];
  const exception = Known
    ? new Known({ ...common, ...members })
    : new dynamodb.DynamoDBServiceException({ ...common, name, $fault: 'client' });
  return Object.assign(exception, { __type });
}
