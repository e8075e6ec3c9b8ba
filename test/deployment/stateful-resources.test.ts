import { describe, expect, it } from 'vitest';
import { readServerlessFile, resourceOf } from '../support/serverless-file.ts';

const file = readServerlessFile();

/** CloudFormation replaces a resource whose logical id or one of these properties changes, and what it holds is gone. */
const released = {
  RunsTable: {
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
  },
  RunEventBus: { Name: 'kubecost-payer-onboarding-sandbox' },
  StateMachineLogs: { LogGroupName: { Sub: '/aws/vendedlogs/states/kubecost-payer-onboarding-sandbox' } },
  ProvisionStateMachine: { StateMachineType: 'STANDARD' },
  OffboardStateMachine: { StateMachineType: 'STANDARD' },
};
/** Names that a property would set; without it CloudFormation has chosen one, which a later property would replace. */
const unnamed = {
  RunsTable: 'TableName',
  ProvisionStateMachine: 'StateMachineName',
  OffboardStateMachine: 'StateMachineName',
};

/** The indexes of release 0.3.0. DynamoDB builds an index whose keys or projection change anew, and lists are empty meanwhile. */
const indexes = {
  byAll: ['allKey', 'listKey'],
  byStatus: ['status', 'listKey'],
  byPayer: ['payerKey', 'listKey'],
  byCluster: ['clusterKey', 'listKey'],
  byBatch: ['batchId', 'listKey'],
  byBatchStatus: ['batchStatusKey', 'listKey'],
  byPending: ['pendingKey', 'listKey'],
  byAtWork: ['atWorkKey', 'listKey'],
};

/** Functions of release 0.3.0: each has a log group, and running executions call it by its name. */
const functions = [
  ...[
    'createOnboarding',
    'createOffboarding',
    'getRun',
    'getArtifacts',
    'retryRun',
    'cancelRun',
    'listRuns',
    'createBatch',
  ],
  ...['getBatch', 'pauseBatch', 'resumeBatch', 'cancelBatch', 'retryBatch', 'openapi', 'docs', 'health', 'preflight'],
  ...['reportChoice', 'clusterAccess', 'discovery', 'curBucket', 'curReport', 'firstDelivery', 'crawlerStack'],
  ...['crawlerTable', 'athenaResults', 'podRole', 'podIdentity', 'payerRole', 'grant', 'chainProof', 'payerPolicy'],
  ...['smokeQuery', 'publish', 'loadProof', 'inventory', 'removeEntry', 'unloadProof', 'removePodRole', 'removeGrant'],
  ...['removePayerRole', 'removeCrawlerStack', 'removeAthenaResults', 'removeReport', 'removeAccess', 'close'],
  ...['dispatchBatch', 'sweep'],
];

describe('an update of a deployment of 0.3.0', () => {
  it.each(Object.entries(released))('keeps %s', (logicalId, properties) => {
    expect(resourceOf(file, logicalId)).toMatchObject(properties);
  });

  it.each(Object.entries(unnamed))('gives %s no other name', (logicalId, property) => {
    expect(resourceOf(file, logicalId)).not.toHaveProperty(property);
  });

  it('keeps the indexes of the table', () => {
    const { GlobalSecondaryIndexes } = resourceOf(file, 'RunsTable') as {
      GlobalSecondaryIndexes: { IndexName: string; KeySchema: { AttributeName: string }[] }[];
    };
    const keys = GlobalSecondaryIndexes.map(({ IndexName, KeySchema }) => [
      IndexName,
      KeySchema.map(({ AttributeName }) => AttributeName),
    ]);
    expect(Object.fromEntries(keys)).toMatchObject(indexes);
  });

  it('keeps the functions', () => {
    expect(Object.keys(file.functions)).toEqual(expect.arrayContaining(functions));
  });
});
