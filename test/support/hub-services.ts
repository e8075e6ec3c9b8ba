import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand, DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { RunEvent } from '../../shared/model/run-event.ts';
import { startTable } from './runs-table.ts';

export interface Fault {
  /** The nth write of the process, counted from 1, is its last call. Every later call fails. */
  atWrite: number;
  /** Whether that write is applied. */
  applied: boolean;
}

type Item = Record<string, unknown>;

/** The services that functions call in the hub account: a table, executions by name as in Step Functions, and the event bus. */
export class HubServices {
  readonly executions = new Map<string, { input: string; ended: boolean }>();
  /** Tokens of the tasks that were called back, in order. */
  readonly calledBack: string[] = [];
  /** Events in the order in which the bus got them. */
  readonly events: RunEvent[] = [];
  #fault: Fault | undefined;
  #writes = 0;
  #table: Awaited<ReturnType<typeof startTable>> | undefined;
  readonly #gateway = createServer((request, response) => {
    void this.#serve(request, response);
  });
  #client: DynamoDBDocumentClient | undefined;

  async start(): Promise<void> {
    this.#table = await startTable('runs');
    const endpoint = await listen(this.#gateway);
    Object.assign(process.env, {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'hub',
      AWS_SECRET_ACCESS_KEY: 'hub',
      AWS_ENDPOINT_URL: endpoint,
      TABLE_NAME: 'runs',
      DEPLOYMENT_ID: 'test',
      PROVISIONER_PATH: '/kubecost-payer-onboarding/',
      PAYER_PROVISIONER_NAME: 'kubecost-payer-provisioner',
      CLUSTER_PROVISIONER_NAME: 'kubecost-cluster-provisioner',
      ALLOWED_HOST_SUFFIXES: '.eks.amazonaws.com',
      ALLOWED_NAMESPACES: 'kubecost,opencost',
      VPC_SUBNET_IDS: '',
      EVENT_BUS_NAME: 'runs',
      PROVISION_STATE_MACHINE_ARN: 'arn:aws:states:us-east-1:999900001111:stateMachine:provision',
      OFFBOARD_STATE_MACHINE_ARN: 'arn:aws:states:us-east-1:999900001111:stateMachine:offboard',
    });
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    this.#client = DynamoDBDocumentClient.from(
      new DynamoDBClient({ endpoint: this.#table.endpoint, region: 'us-east-1', credentials }),
    );
  }

  async stop(): Promise<void> {
    this.#client?.destroy();
    this.#gateway.closeAllConnections();
    await new Promise((resolve) => this.#gateway.close(resolve));
    await this.#table?.close();
  }

  /** Ends the process at a write; undefined starts it again. */
  crash(fault: Fault | undefined): void {
    this.#fault = fault;
    this.#writes = 0;
  }

  /** The items whose partition key starts with `prefix`. */
  async items(prefix = ''): Promise<Item[]> {
    const { Items = [] } = (await this.#client?.send(new ScanCommand({ TableName: 'runs' }))) ?? {};
    return Items.filter(({ pk }) => String(pk).startsWith(prefix));
  }

  async put(item: Item): Promise<void> {
    await this.#client?.send(new PutCommand({ TableName: 'runs', Item: item }));
  }

  /** Writes many items without counting them as writes of the process. */
  async putAll(items: readonly Item[]): Promise<void> {
    for (let from = 0; from < items.length; from += 25) {
      const puts = items.slice(from, from + 25).map((item) => ({ PutRequest: { Item: item } }));
      await this.#client?.send(new BatchWriteCommand({ RequestItems: { runs: puts } }));
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const target = String(request.headers['x-amz-target']);
    const operation = target.split('.').at(-1) ?? '';
    if (!['GetItem', 'Query'].includes(operation)) this.#writes++;
    const { atWrite, applied } = this.#fault ?? { atWrite: Infinity, applied: false };
    const dead = this.#writes >= atWrite;
    const reaches = !dead || (applied && this.#writes === atWrite && operation !== 'GetItem');
    const result = reaches ? await this.#forward(operation, target, body) : undefined;
    // Not an error that the SDK retries: this process has ended.
    const { status, text } = dead || !result ? gone : result;
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(text);
  }

  async #forward(operation: string, target: string, body: Buffer): Promise<{ status: number; text: string }> {
    if (operation === 'StartExecution') return this.#startExecution(body.toString());
    if (operation === 'StopExecution') return this.#stopExecution(body.toString());
    if (operation === 'DescribeExecution') return { status: 200, text: JSON.stringify({ status: 'RUNNING' }) };
    if (operation === 'SendTaskSuccess') return this.#callBack(body.toString());
    if (operation === 'PutEvents') return this.#putEvents(body.toString());
    const answer = await fetch(this.#table?.endpoint ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target },
      body: new Uint8Array(body),
    });
    return { status: answer.status, text: await answer.text() };
  }

  #putEvents(text: string): { status: number; text: string } {
    const { Entries } = JSON.parse(text) as { Entries: { Detail: string }[] };
    this.events.push(...Entries.map(({ Detail }) => RunEvent.parse(JSON.parse(Detail))));
    const answers = Entries.map((_, index) => ({ EventId: `event-${index}` }));
    return { status: 200, text: JSON.stringify({ FailedEntryCount: 0, Entries: answers }) };
  }

  /** Starting again with the same input returns the running execution. Otherwise a name can be used once. */
  #startExecution(text: string): { status: number; text: string } {
    const { name, input, stateMachineArn } = JSON.parse(text) as {
      name: string;
      input: string;
      stateMachineArn: string;
    };
    const known = this.executions.get(name);
    if (known && (known.ended || known.input !== input)) {
      return {
        status: 400,
        text: JSON.stringify({ __type: 'ExecutionAlreadyExists', message: `Execution Already Exists: '${name}'` }),
      };
    }
    this.executions.set(name, known ?? { input, ended: false });
    const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
    return { status: 200, text: JSON.stringify({ executionArn, startDate: Date.now() / 1000 }) };
  }

  /** A token can be used once. */
  #callBack(text: string): { status: number; text: string } {
    const { taskToken } = JSON.parse(text) as { taskToken: string };
    if (this.calledBack.includes(taskToken)) return { status: 400, text: JSON.stringify({ __type: 'TaskTimedOut' }) };
    this.calledBack.push(taskToken);
    return { status: 200, text: '{}' };
  }

  #stopExecution(text: string): { status: number; text: string } {
    const { executionArn } = JSON.parse(text) as { executionArn: string };
    const known = this.executions.get(executionArn.split(':').at(-1) ?? '');
    if (!known) {
      const message = `Execution Does Not Exist: '${executionArn}'`;
      return { status: 400, text: JSON.stringify({ __type: 'ExecutionDoesNotExist', message }) };
    }
    known.ended = true;
    return { status: 200, text: JSON.stringify({ stopDate: Date.now() / 1000 }) };
  }
}

const gone = { status: 400, text: JSON.stringify({ __type: 'ProcessIsGone', message: 'the function died' }) };

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
