import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mayWrite, releaseLease, takeLease } from '../../../shared/table/lease.ts';
import { HubServices } from '../../support/hub-services.ts';

let hub: HubServices;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.stop();
});

const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const take = (holder: string) => takeLease('target#a', holder, 60_000);
const holders = async () => (await hub.items('lease#')).map(({ holder }) => holder);

describe('a lease', () => {
  it('is taken by one of many simultaneous callers', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `run-${index}`);
    const taken = (await Promise.all(names.map(take))).filter((lease) => lease !== undefined);
    expect(taken).toHaveLength(1);
    expect(await holders()).toEqual([taken[0]?.holder]);
  });

  it('ends 30 s after its holder’s time limit', async () => {
    await take('first');
    later(90);
    expect(await take('second')).toBeUndefined();
    later(0.001);
    expect(await take('second')).toMatchObject({ holder: 'second' });
    expect(await holders()).toEqual(['second']);
  });

  it('is granted again to its holder after a lost response', async () => {
    hub.crash({ atWrite: 1, applied: true });
    await expect(take('first')).rejects.toThrow();
    hub.crash(undefined);
    expect(await take('first')).toMatchObject({ holder: 'first' });
  });

  it('is released only by its holder', async () => {
    const lease = await take('first');
    await releaseLease({ scope: 'target#a', holder: 'second', expiresAt: 0 });
    expect(await holders()).toEqual(['first']);
    if (lease) await releaseLease(lease);
    expect(await holders()).toEqual([]);
    expect(await take('second')).toMatchObject({ holder: 'second' });
  });

  it('does not block another scope', async () => {
    await take('first');
    expect(await takeLease('target#b', 'second', 60_000)).toMatchObject({ holder: 'second' });
  });

  it('allows no write in its last ten seconds', async () => {
    const lease = await take('first');
    if (!lease) throw new Error('not taken');
    later(79.999);
    expect(mayWrite(lease)).toBe(true);
    later(0.001);
    expect(mayWrite(lease)).toBe(false);
  });

  it('expires from the table after its end', async () => {
    await take('first');
    const [item] = await hub.items('lease#');
    expect(item?.ttl).toBe(Date.parse('2026-03-01T01:01:30Z') / 1000);
  });
});
