import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { tableName } from './deployed-sandbox.ts';
import type { StepHarness } from './step-harness.ts';

/** The attributes that release 0.3.0 wrote for a run and for a step, with the keys of the table and its indexes. */
const runFields = [
  ...['pk', 'sk', 'allKey', 'payerKey', 'clusterKey', 'listKey', 'batchStatusKey', 'atWorkKey', 'pendingKey'],
  ...['runId', 'kind', 'attempt', 'from', 'status', 'request', 'batchId', 'createdAt', 'startedAt', 'endedAt', 'steps'],
  ...['error', 'planned', 'cancelRequestedAt', 'outbox', 'announced'],
];
const stepFields = [
  ...['status', 'startedAt', 'endedAt', 'invocations', 'waiting', 'changes', 'warnings', 'output', 'memo', 'error'],
  ...['preview', 'busyUntil', 'announced'],
];
/** The steps that release 0.3.0 did not have. */
const newSteps = ['retire-crawler'];

type Fields = Record<string, unknown>;
const pick = (names: readonly string[], fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));

function asPreviousRelease(item: Fields): Fields {
  const steps = Object.entries(item.steps as Record<string, Fields>)
    .filter(([name]) => !newSteps.includes(name))
    .map(([name, step]) => [name, pick(stepFields, step)]);
  return { ...pick(runFields, item), steps: Object.fromEntries(steps) as Fields };
}

/** Rewrites every run's record as release 0.3.0 would have written it. */
export async function rewriteRecords(stepHarness: StepHarness): Promise<void> {
  const items = await stepHarness.items('run#');
  if (items.length === 0) throw new Error('there is no run');
  const client = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: stepHarness.sandbox.tableEndpoint }));
  for (const item of items) await client.send(new PutCommand({ TableName: tableName, Item: asPreviousRelease(item) }));
  client.destroy();
}
