import { type RunEvent, runEvent } from './run-event.ts';
import { runErrorOf } from './run-schemas.ts';

/** A failed run, for the documentation. */
export const exampleEvent: RunEvent = runEvent(
  {
    runId: '01kjq3w5e8f2c9m4x7v1t6s0rz',
    attempt: 1,
    kind: 'onboarding',
    batchId: '01kjq3vz8c5n0h2d7y4w9g6k1p',
    request: {
      payerAccountId: '111122223333',
      cluster: { accountId: '222233334444', region: 'eu-west-1', name: 'finops' },
    },
  },
  'failed',
  '2026-03-02T09:00:11.000Z',
  runErrorOf({ code: 'bucket-not-ours', message: '' }, 'cur-bucket'),
);
