import { steps } from '../functions/steps/index.ts';
import { stepNames } from '../shared/model/step-names.ts';
import type { Step, TableAction } from '../shared/step/contract.ts';
import { functionKey } from '../state-machines/states.ts';

/** What a function may do beside writing its own log; the source of its role. */
export interface DeployedFunction {
  /** Key in serverless.yml and folder in dist/. */
  key: string;
  /** Source file, whose `handler` is deployed. */
  entry: string;
  table: readonly TableAction[];
  /** True if it queries the table's indexes. */
  indexes?: true;
  entersPayer?: true;
  entersCluster?: true;
  /** True if it talks to the cluster's own API, and so runs in the VPC if there is one. */
  reachesCluster?: true;
  startsExecutions?: true;
  stopsExecutions?: true;
  /** True if it puts transitions on the event bus. */
  tellsEvents?: true;
}

function stepFunction({ name, lease, permissions }: Step): DeployedFunction {
  const { payer, cluster, kubernetes, table = [], indexes } = permissions;
  // Whichever invocation is the last one of a cancelled run ends it, and so reads the admin window and gives the lock back.
  const wrapper: TableAction[] = ['DeleteItem', 'GetItem', 'UpdateItem', ...(lease ? ['PutItem' as const] : [])];
  return {
    key: functionKey(name),
    entry: `functions/steps/${name}.ts`,
    table: [...new Set([...wrapper, ...table])].sort(),
    tellsEvents: true,
    ...(indexes && { indexes }),
    ...(payer && { entersPayer: true }),
    ...((cluster ?? kubernetes) && { entersCluster: true }),
    // These two only knock.
    ...((kubernetes ?? (name === 'preflight' || name === 'inventory')) && { reachesCluster: true }),
  };
}

/** What dispatching a batch takes: it starts, retries and cancels runs. */
const dispatching = {
  table: ['DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'],
  indexes: true,
  startsExecutions: true,
  stopsExecutions: true,
} as const;

/** Every function of the deployment. */
export const deployedFunctions: readonly DeployedFunction[] = [
  {
    key: 'createOnboarding',
    entry: 'functions/api/create-onboarding.ts',
    table: ['DeleteItem', 'GetItem', 'PutItem', 'UpdateItem'],
    startsExecutions: true,
  },
  {
    key: 'createOffboarding',
    entry: 'functions/api/create-offboarding.ts',
    table: ['DeleteItem', 'GetItem', 'PutItem', 'UpdateItem'],
    startsExecutions: true,
  },
  { key: 'getRun', entry: 'functions/api/get-run.ts', table: ['GetItem'] },
  { key: 'getArtifacts', entry: 'functions/api/get-artifacts.ts', table: ['GetItem'] },
  {
    key: 'retryRun',
    entry: 'functions/api/retry-run.ts',
    table: ['DeleteItem', 'GetItem', 'PutItem', 'UpdateItem'],
    startsExecutions: true,
  },
  {
    key: 'cancelRun',
    entry: 'functions/api/cancel-run.ts',
    table: ['DeleteItem', 'GetItem', 'UpdateItem'],
    stopsExecutions: true,
  },
  { key: 'listRuns', entry: 'functions/api/list-runs.ts', table: ['Query'], indexes: true },
  { key: 'createBatch', entry: 'functions/api/create-batch.ts', ...dispatching },
  { key: 'getBatch', entry: 'functions/api/get-batch.ts', table: ['GetItem', 'Query'], indexes: true },
  {
    key: 'pauseBatch',
    entry: 'functions/api/pause-batch.ts',
    table: ['GetItem', 'Query', 'UpdateItem'],
    indexes: true,
  },
  { key: 'resumeBatch', entry: 'functions/api/resume-batch.ts', ...dispatching },
  { key: 'cancelBatch', entry: 'functions/api/cancel-batch.ts', ...dispatching },
  { key: 'retryBatch', entry: 'functions/api/retry-batch.ts', ...dispatching },
  { key: 'openapi', entry: 'functions/api/openapi.ts', table: [] },
  { key: 'docs', entry: 'functions/api/docs.ts', table: [] },
  { key: 'health', entry: 'functions/api/health.ts', table: [] },
  ...stepNames.map((name) => stepFunction(steps[name])),
  {
    key: 'close',
    entry: 'functions/close.ts',
    table: ['DeleteItem', 'GetItem', 'UpdateItem'],
    entersCluster: true,
    tellsEvents: true,
  },
  { key: 'dispatchBatch', entry: 'functions/dispatch-batch.ts', ...dispatching },
  {
    key: 'sweep',
    entry: 'functions/sweep.ts',
    ...dispatching,
    entersCluster: true,
    tellsEvents: true,
  },
];
