import type { Route } from '../../shared/http/route.ts';
import type { TableAction } from '../../shared/model/function-rights.ts';
import { stepNames } from '../../shared/model/step-names.ts';
import type { Step } from '../../shared/step/contract.ts';
import { functionKey } from '../../state-machines/states.ts';
import { routes } from '../api/index.ts';
import { steps } from '../steps/index.ts';
import { backgroundFunctions } from './background-functions.ts';
import type { DeployedFunction } from './deployed-function.ts';

/** `getRun` → `get-run`: the file of a route. */
function fileName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function routeFunction([key, { route }]: [string, { route: Route }]): DeployedFunction {
  return { key, entry: `functions/api/${fileName(key)}.ts`, ...route.permissions, route };
}

function stepFunction({ name, lease, permissions }: Step): DeployedFunction {
  const { payer, cluster, kubernetes, table = [], indexes } = permissions;
  // The last invocation of a cancelled run ends the run: it reads the admin window and releases the lock.
  const runner: TableAction[] = ['DeleteItem', 'GetItem', 'UpdateItem', ...(lease ? ['PutItem' as const] : [])];
  return {
    key: functionKey(name),
    entry: `functions/steps/${name}.ts`,
    table: [...new Set([...runner, ...table])].sort(),
    publishesEvents: true,
    ...(indexes && { indexes }),
    ...(payer && { entersPayer: true }),
    ...((cluster ?? kubernetes) && { entersCluster: true }),
    ...(kubernetes && { reachesCluster: true }),
  };
}

/** Every function of the deployment: the routes, the steps in their order, the background functions. */
export const deployedFunctions: readonly DeployedFunction[] = [
  ...Object.entries<{ route: Route }>(routes).map(routeFunction),
  ...stepNames.map((name) => stepFunction(steps[name])),
  ...backgroundFunctions,
];

/** `getRun` → `GetRun`: how the framework begins a function's logical ids. */
export function logicalPrefix(key: string): string {
  return `${key.charAt(0).toUpperCase()}${key.slice(1)}`;
}
