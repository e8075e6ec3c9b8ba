/** Items that release 0.3.0 wrote are read without a migration. */
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { BatchChunkItem, BatchItem, BatchKeyItem } from '../../../shared/batches/batch-record.ts';
import { ActiveRun, ShownRun } from '../../../shared/batches/batch-table.ts';
import { KeyItem } from '../../../shared/runs/idempotency-key.ts';
import { LockItem } from '../../../shared/runs/payer-target-lock.ts';
import { RunHead, RunItem, RunKeyItem, RunSummaryItem } from '../../../shared/runs/run-item.ts';
import { AdminWindowItem } from '../../../shared/targets/admin-windows.ts';
import { TargetPayerItem } from '../../../shared/targets/payers-of-target.ts';
import { PurgedReportItem } from '../../../shared/targets/purged-reports.ts';
import { ClusterTargetItem, TargetSettingsItem } from '../../../shared/targets/target-settings.ts';
import { PayerTargetItem } from '../../../shared/targets/targets-of-payer.ts';
import { releasedItems } from '../../support/released-items.ts';

const indexKeys = [
  'pk',
  'sk',
  'allKey',
  'payerKey',
  'clusterKey',
  'listKey',
  'batchStatusKey',
  'atWorkKey',
  'pendingKey',
];

function without(names: readonly string[], item: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).filter(([name]) => !names.includes(name)));
}

/** The schema parser of each kind of item. */
const kinds: Record<string, { schema: z.ZodType; expected: (item: Record<string, unknown>) => unknown }> = {
  run: { schema: RunItem, expected: (item) => without(indexKeys, item) },
  'run-summary': { schema: RunSummaryItem, expected: (item) => without(indexKeys, item) },
  'run-key': { schema: RunKeyItem, expected: ({ pk }) => String(pk).slice('run#'.length) },
  'shown-run': { schema: ShownRun, expected: (item) => item },
  'active-run': { schema: ActiveRun, expected: (item) => item },
  lock: { schema: LockItem, expected: (item) => item },
  'idempotency-key': { schema: KeyItem, expected: (item) => item },
  batch: {
    schema: BatchItem,
    expected: ({ pk, ...item }) => ({
      batchId: String(pk).slice('batch#'.length),
      ...without(['sk', 'listKey'], item),
    }),
  },
  'batch-key': { schema: BatchKeyItem, expected: ({ pk }) => String(pk).slice('batch#'.length) },
  'batch-chunk': {
    schema: BatchChunkItem,
    expected: ({ requests, ...item }) => ({ ...item, requests: JSON.parse(String(requests)) as unknown }),
  },
  'target-settings': { schema: TargetSettingsItem, expected: (item) => item },
  'cluster-target': { schema: ClusterTargetItem, expected: (item) => item },
  'target-payer': { schema: TargetPayerItem, expected: (item) => item },
  'payer-target': { schema: PayerTargetItem, expected: (item) => item },
  'purged-report': { schema: PurgedReportItem, expected: ({ sk }) => String(sk).slice('purged-report#'.length) },
  'admin-window': { schema: AdminWindowItem, expected: (item) => item },
};

describe('an item of release 0.3.0', () => {
  it.each(Object.keys(kinds))('is read with all of its content: %s', (kind) => {
    const { schema, expected } = kinds[kind] ?? expect.unreachable();
    const items = releasedItems(kind);
    expect(items).not.toEqual([]);
    for (const item of items) expect(schema.parse(item)).toStrictEqual(expected(item));
  });

  it.each(Object.keys(kinds))('keeps attributes that are not in the schema: %s', (kind) => {
    const { schema, expected } = kinds[kind] ?? expect.unreachable();
    for (const item of releasedItems(kind)) {
      const later = { ...item, later: { nested: [1] } };
      expect(schema.parse(later)).toStrictEqual(expected(later));
    }
  });

  it('shows whether an unreadable run has ended', () => {
    for (const { attempt, status } of releasedItems('run'))
      expect(RunHead.parse({ attempt, status, steps: 'torn' })).toMatchObject({ attempt, status });
  });
});
