import { dispatchRights } from '../../shared/model/function-rights.ts';
import { eventSource } from '../../shared/model/run-event.ts';
import { endedStatuses } from '../../shared/model/run-schemas.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import type { DeployedFunction } from './deployed-function.ts';

const stateMachines = [{ Ref: 'ProvisionStateMachine' }, { Ref: 'OffboardStateMachine' }];
const longWait: StepName = 'first-delivery';

/** Functions that neither a caller nor a step of a run waits for. */
export const backgroundFunctions: readonly DeployedFunction[] = [
  // Ends a run. The state machine calls it; EventBridge calls it when an execution fails, times out or is aborted.
  {
    key: 'close',
    entry: 'functions/close.ts',
    table: ['DeleteItem', 'GetItem', 'UpdateItem'],
    entersCluster: true,
    publishesEvents: true,
    events: [
      {
        eventBridge: {
          pattern: {
            source: ['aws.states'],
            'detail-type': ['Step Functions Execution Status Change'],
            detail: { status: ['FAILED', 'TIMED_OUT', 'ABORTED'], stateMachineArn: stateMachines },
          },
        },
      },
    ],
  },
  // Keeps the token of a task that waits for hours. The state machines call it.
  { key: 'keepToken', entry: 'functions/keep-token.ts', table: ['GetItem', 'PutItem'] },
  // Looks after the runs that wait for hours, and ends those whose execution has died.
  {
    key: 'watch',
    entry: 'functions/watch.ts',
    table: ['DeleteItem', 'GetItem', 'Query', 'UpdateItem'],
    indexes: true,
    entersPayer: true,
    entersCluster: true,
    watchesExecutions: true,
    publishesEvents: true,
    events: [{ schedule: 'rate(1 minute)' }],
  },
  // Starts the next runs of a batch when a run has ended or waits for its first delivery.
  {
    key: 'dispatchBatch',
    entry: 'functions/dispatch-batch.ts',
    ...dispatchRights,
    events: [
      {
        eventBridge: {
          eventBus: { Ref: 'RunEventBus' },
          pattern: {
            source: [eventSource],
            detail: {
              batchId: [{ wildcard: '*' }],
              $or: [
                { step: [null], status: endedStatuses },
                { step: [longWait], status: ['waiting'] },
              ],
            },
          },
        },
      },
    ],
  },
  // Completes what a crash left unfinished.
  {
    key: 'sweep',
    entry: 'functions/sweep.ts',
    ...dispatchRights,
    entersCluster: true,
    publishesEvents: true,
    events: [{ schedule: 'rate(5 minutes)' }],
  },
];
