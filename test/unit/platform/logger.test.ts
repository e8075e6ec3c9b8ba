import { afterEach, describe, expect, it, vi } from 'vitest';
import { log } from '../../../shared/platform/logger.ts';
import { logLines } from '../../support/log-lines.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('a log line', () => {
  it('is one line of JSON with time, message and fields', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
    const lines = logLines();
    log('change', { runId: 'a', step: 'cur-bucket', change: 'create-bucket', resource: 'two\nlines', note: undefined });
    expect(lines()).toEqual([
      {
        time: '2026-03-01T00:00:00.000Z',
        message: 'change',
        runId: 'a',
        step: 'cur-bucket',
        change: 'create-bucket',
        resource: 'two\nlines',
      },
    ]);
  });

  it('does not accept a document, event or list as a field', () => {
    const lines = logLines();
    // @ts-expect-error a field is a scalar
    log('change', { event: { secret: 'x' } });
    // @ts-expect-error a field is a scalar
    log('change', { list: ['x'] });
    expect(lines()).toHaveLength(2);
  });
});
