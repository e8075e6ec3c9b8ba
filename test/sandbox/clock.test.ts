import { setTimeout as realSleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installVirtualDate, VirtualClock } from './clock.ts';

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock(START);
});
afterEach(() => {
  clock.stop();
});

test('a day of sleep takes no real time', async () => {
  await clock.sleep(24 * HOUR);
  expect(clock.now()).toBe(START + 24 * HOUR);
});

test('time does not move while held work runs', async () => {
  const asleep = clock.sleep(HOUR);
  const seen = await clock.hold(async () => {
    await realSleep(30);
    return clock.now();
  });
  expect(seen).toBe(START);
  await asleep;
  expect(clock.now()).toBe(START + HOUR);
});

test('time moves again after held work fails', async () => {
  await expect(clock.hold(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await clock.sleep(1000);
  expect(clock.now()).toBe(START + 1000);
});

test('sleepers wake in the order of their instants', async () => {
  const woken: number[] = [];
  await Promise.all([50, 10, 40, 10, 30].map((ms) => clock.sleep(ms).then(() => woken.push(clock.now() - START))));
  expect(woken).toEqual([10, 10, 30, 40, 50]);
});

test('an aborted sleep ends at once and no longer moves time', async () => {
  const abort = new AbortController();
  const long = clock.sleep(24 * HOUR, abort.signal);
  await clock.sleep(HOUR);
  abort.abort();
  await long;
  await realSleep(5);
  expect(clock.now()).toBe(START + HOUR);
  await clock.sleep(HOUR, abort.signal);
  expect(clock.now()).toBe(START + HOUR);
});

test('planned events fire on the way but never move time', async () => {
  const deliveries: number[] = [];
  const daily = () => {
    deliveries.push(clock.now() - START);
    clock.after(24 * HOUR, daily);
  };
  clock.after(24 * HOUR, daily);
  await realSleep(5);
  expect(clock.now()).toBe(START);
  await clock.sleep(60 * HOUR);
  expect(deliveries).toEqual([24 * HOUR, 48 * HOUR]);
});

test('a cancelled event does not fire', async () => {
  let fired = false;
  const cancel = clock.after(1000, () => (fired = true));
  cancel();
  await clock.sleep(2000);
  expect(fired).toBe(false);
});

test('work that an event starts holds time before the next event', async () => {
  const seen: number[] = [];
  clock.after(1000, () => {
    void clock.hold(async () => {
      await realSleep(10);
      seen.push(clock.now() - START);
    });
  });
  await clock.sleep(5000);
  expect(seen).toEqual([1000]);
});

test('with a speed, time flows in proportion to real time', async () => {
  clock.speed = 3600;
  await realSleep(30);
  expect(clock.now()).toBeGreaterThan(START + 60_000);
  const before = performance.now();
  await clock.sleep(HOUR / 10);
  expect(performance.now() - before).toBeGreaterThan(90);
  const held = await clock.hold(async () => {
    const at = clock.now();
    await realSleep(20);
    return clock.now() - at;
  });
  expect(held).toBe(0);
});

test('with a speed, a late real timer still fires at its instant', async () => {
  clock.speed = 1_000_000;
  const begin = clock.now();
  const fired: number[] = [];
  for (const seconds of [100, 200, 300]) clock.after(seconds * 1000, () => fired.push(clock.now() - begin));
  await clock.sleep(400_000);
  expect(fired.map((ms) => Math.round(ms / 1000))).toEqual([100, 200, 300]);
});

test('a stopped clock fires no timer', async () => {
  let fired = false;
  clock.speed = 1_000_000;
  clock.after(1000, () => (fired = true));
  clock.stop();
  await realSleep(10);
  expect(fired).toBe(false);
});

test('timers fire in order and never during a handler', async () => {
  const plans = fc.array(fc.array(fc.record({ sleep: fc.nat(5000), work: fc.nat(2) }), { maxLength: 5 }), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(plans, async (branches) => {
      const own = new VirtualClock(START);
      let inFlight = 0;
      let latest = START;
      const branch = async (steps: (typeof branches)[number]) => {
        let due = START;
        for (const { sleep, work } of steps) {
          due += sleep;
          await own.sleep(sleep);
          expect(own.now()).toBe(due);
          expect(own.now()).toBeGreaterThanOrEqual(latest);
          latest = own.now();
          inFlight++;
          await own.hold(async () => {
            await realSleep(work);
            expect(own.now()).toBe(due);
          });
          inFlight--;
        }
      };
      await Promise.all(branches.map(branch));
      expect(inFlight).toBe(0);
      own.stop();
    }),
    { numRuns: 30 },
  );
});

test('the virtual date replaces only Date and can be undone', async () => {
  const real = globalThis.Date;
  const undo = installVirtualDate(clock);
  try {
    await clock.sleep(48 * HOUR);
    expect(Date.now()).toBe(START + 48 * HOUR);
    expect(new Date().toISOString()).toBe('2026-01-03T00:00:00.000Z');
    expect(new Date(0).getTime()).toBe(0);
    expect(new Date()).toBeInstanceOf(Date);
    expect(structuredClone(new Date())).toBeInstanceOf(Date);
    expect((Date as unknown as () => string)()).toContain('2026');
    expect(Date.parse('2026-01-01T00:00:00Z')).toBe(START);
  } finally {
    undo();
  }
  expect(globalThis.Date).toBe(real);
});
