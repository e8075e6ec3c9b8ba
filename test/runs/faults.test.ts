import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FaultRule } from '../sandbox/faults.ts';
import { landscape } from '../steps/landscape.ts';
import type { Example } from '../steps/stage.ts';
import { Board } from './board.ts';

beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
afterAll(() => vi.restoreAllMocks());

let board: Board | undefined;
afterEach(() => board?.close());

async function onboard(example: Example, faults: FaultRule[]) {
  board = await Board.open({ deliveryHours: 0.25 });
  board.stage.world.faults.push(...faults);
  const run = await board.onboard(example);
  board.stage.world.faults.splice(0);
  const struck = board.stage.world.calls.filter(({ error }) => error?.startsWith('injected:')).length;
  return { run, struck, landscape: await landscape(board.stage) };
}

const aws = ['athena', 'cloudformation', 'cur', 'eks', 'glue', 'iam', 's3', 'sts'];
/** The SDK tries a call three times; nobody does so for Kubernetes, where one invocation makes dozens of calls. */
const fail: FaultRule[] = [
  ...aws.flatMap((service): FaultRule[] => [
    { service, kind: '500', nth: 'every-5' },
    { service, kind: 'reset', nth: 'every-7' },
  ]),
  { service: 'kubernetes', kind: '500', nth: 'every-61' },
  { service: 'kubernetes', kind: 'reset', nth: 'every-67' },
];
const lose: FaultRule[] = [{ kind: 'applied-but-lost', writes: true, nth: 'every-2' }];

const histories: [Example, string, FaultRule[]][] = [
  ['new-irsa', 'servers that fail and connections that break', fail],
  ['take-over-hand-made', 'all of it at once', [...fail, ...lose]],
];

describe('a run through bad weather', () => {
  it.each(histories)('takes %s where it would have gone: %s', async (example, _, faults) => {
    const calm = await onboard(example, []);
    await board?.close();
    const rough = await onboard(example, faults);
    expect(rough.run.error).toBeNull();
    expect(rough.run.status).toBe('succeeded');
    expect(rough.struck).toBeGreaterThan(10);
    expect(rough.landscape).toEqual(calm.landscape);
  });
});
