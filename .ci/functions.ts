import { steps } from '../functions/steps/index.ts';
import { functionKey } from '../state-machines/states.ts';
import { stepNames } from '../shared/step-names.ts';
import type { Step } from '../shared/step.ts';

/** What a function may do beside writing its own log; the source of its role. */
export interface DeployedFunction {
  /** Key in serverless.yml and folder in dist/. */
  key: string;
  /** Source file, whose `handler` is deployed. */
  entry: string;
  table: readonly string[];
  /** Indexes of the table it queries. */
  indexes?: true;
  entersPayer?: true;
  entersCluster?: true;
  startsExecutions?: true;
}

const noTable: readonly string[] = [];

function stepFunction(step: Step): DeployedFunction {
  const { payer, cluster, kubernetes } = step.permissions;
  return {
    key: functionKey(step.name),
    entry: `functions/steps/${step.name}.ts`,
    table: step.lease
      ? ['dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem']
      : ['dynamodb:UpdateItem'],
    ...(payer && { entersPayer: true }),
    ...((cluster ?? kubernetes) && { entersCluster: true }),
  };
}

/** Every function of the deployment. */
export const deployedFunctions: readonly DeployedFunction[] = [
  {
    key: 'createOnboarding',
    entry: 'functions/api/create-onboarding.ts',
    table: ['dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:PutItem'],
    startsExecutions: true,
  },
  { key: 'getRun', entry: 'functions/api/get-run.ts', table: ['dynamodb:GetItem'] },
  { key: 'listRuns', entry: 'functions/api/list-runs.ts', table: ['dynamodb:Query'], indexes: true },
  { key: 'openapi', entry: 'functions/api/openapi.ts', table: noTable },
  { key: 'docs', entry: 'functions/api/docs.ts', table: noTable },
  { key: 'health', entry: 'functions/api/health.ts', table: noTable },
  ...stepNames.map((name) => stepFunction(steps[name])),
  {
    key: 'close',
    entry: 'functions/close.ts',
    table: ['dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:UpdateItem'],
    entersCluster: true,
  },
  {
    key: 'sweep',
    entry: 'functions/sweep.ts',
    table: ['dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'],
    indexes: true,
    entersCluster: true,
    startsExecutions: true,
  },
];
