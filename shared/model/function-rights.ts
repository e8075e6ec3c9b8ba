/** DynamoDB actions on the deployment's own table. */
export type TableAction = 'GetItem' | 'PutItem' | 'UpdateItem' | 'DeleteItem' | 'Query';

/** What a function may do in the deployment's own account, beside writing its log. */
export interface Rights {
  table?: readonly TableAction[];
  /** True if it queries the table's indexes. */
  indexes?: true;
  startsExecutions?: true;
  stopsExecutions?: true;
  /** True if it asks for the state of executions and ends tasks that wait for a callback. */
  watchesExecutions?: true;
}

/** Dispatching a batch starts, retries and cancels runs. */
export const dispatchRights = {
  table: ['DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'],
  indexes: true,
  startsExecutions: true,
  stopsExecutions: true,
} as const satisfies Rights;

/** Starting a run writes its record and takes the lock of its payer and target. */
export const startRights = {
  table: ['DeleteItem', 'GetItem', 'PutItem', 'UpdateItem'],
  startsExecutions: true,
} as const satisfies Rights;
