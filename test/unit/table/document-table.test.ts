import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  countItems,
  deleteItem,
  listItems,
  pageOfItems,
  putItem,
  readItem,
  readItems,
  updateAndRead,
  updateItem,
} from '../../../shared/table/document-table.ts';
import { absent, allOf, anyOf, equals, isBelow } from '../../../shared/table/expressions.ts';
import { HubServices } from '../../support/hub-services.ts';
import { logLines } from '../../support/log-lines.ts';

let hub: HubServices;
let lines: () => Record<string, unknown>[];
beforeEach(async () => {
  lines = logLines();
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await hub.stop();
});

const Thing = z.looseObject({ name: z.string(), count: z.number() });
const key = (sk: string) => ({ pk: 'things', sk });
const all = { partition: { key: 'pk', value: 'things' } };

describe('an item', () => {
  it('keeps attributes outside its schema, also when updated', async () => {
    await putItem(key('a'), { name: 'one', count: 1, later: { nested: true } });
    const updated = await updateAndRead(key('a'), Thing, [{ at: 'count', plus: 2 }], equals('name', 'one'));
    expect(updated).toEqual({ ...key('a'), name: 'one', count: 3, later: { nested: true } });
    expect(await readItem(key('a'), Thing)).toEqual(updated);
  });

  it('is written only if the condition is met', async () => {
    expect(await putItem(key('a'), { name: 'one', count: 1 }, absent('pk'))).toBe(true);
    expect(await putItem(key('a'), { name: 'two', count: 2 }, absent('pk'))).toBe(false);
    const condition = allOf(equals('name', 'one'), anyOf(isBelow('count', 1), equals('count', 2)));
    expect(await updateItem(key('a'), [{ at: 'count', to: 5 }], condition)).toBe(false);
    expect(await updateAndRead(key('a'), Thing, [{ at: 'count', to: 5 }], condition)).toBeUndefined();
    expect(await deleteItem(key('a'), equals('name', 'two'))).toBe(false);
    expect(await readItem(key('a'), Thing)).toMatchObject({ name: 'one', count: 1 });
    expect(await deleteItem(key('a'), equals('name', 'one'))).toBe(true);
    expect(await readItem(key('a'), Thing)).toBeUndefined();
  });

  it('gets sets, lists and defaults in absent attributes', async () => {
    await putItem(key('a'), { name: 'one', list: ['a'] });
    await updateItem(key('a'), [
      { at: 'count', plus: 1 },
      { at: 'list', append: ['b'] },
      { at: 'roles', include: new Set(['a']) },
      { at: 'kept', ifAbsent: 'first' },
      { at: 'name', ifAbsent: 'two' },
    ]);
    await updateItem(key('a'), [{ at: 'roles', include: new Set(['b', 'a']) }]);
    expect(await readItem(key('a'), Thing)).toEqual({
      ...key('a'),
      name: 'one',
      count: 1,
      list: ['a', 'b'],
      roles: new Set(['a', 'b']),
      kept: 'first',
    });
  });

  it('throws with key and invalid fields, without values, if unreadable', async () => {
    await putItem(key('a'), { name: 'one', count: 'secret' });
    const unreadable = {
      name: 'TerminalError',
      code: 'record-unreadable',
      message: "The table's item things a cannot be read: count: Invalid input: expected number, received string",
    };
    await expect(readItem(key('a'), Thing)).rejects.toMatchObject(unreadable);
    await expect(readItems(all, Thing)).rejects.toMatchObject(unreadable);
    const update = updateAndRead(key('a'), Thing, [{ at: 'name', to: 'two' }], equals('name', 'one'));
    await expect(update).rejects.toMatchObject(unreadable);
  });
});

describe('a list of items', () => {
  it('skips an unreadable item and logs it once', async () => {
    await putItem(key('a'), { name: 'one', count: 1 });
    await putItem(key('b'), { name: 'two' });
    await putItem(key('c'), { name: 'three', count: 3 });
    const readable = [{ name: 'one' }, { name: 'three' }];
    const line = {
      message: 'item skipped',
      item: 'things b',
      detail: 'count: Invalid input: expected number, received undefined',
    };
    expect(await listItems(all, Thing)).toMatchObject(readable);
    expect(lines()).toMatchObject([line]);
    expect((await listItems({ ...all, fields: ['name', 'count'] }, Thing)).map(({ name }) => name)).toEqual([
      'one',
      'three',
    ]);
    expect((await pageOfItems(all, Thing, 10)).items).toMatchObject(readable);
    expect(lines()).toMatchObject([line, line, line]);
    expect(await countItems(all)).toBe(3);
  });

  it('contains every page and no other partition', async () => {
    const filler = 'x'.repeat(300_000);
    for (const name of ['a', 'b', 'c', 'd', 'e']) await hub.put({ ...key(name), name, count: 1, filler });
    await hub.put({ pk: 'others', sk: 'a', name: 'a', count: 1 });
    expect(await countItems(all)).toBe(5);
    expect((await listItems(all, Thing)).map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
    const later = { ...all, sort: { key: 'sk', after: 'b' }, newestFirst: true };
    expect((await listItems(later, Thing)).map(({ name }) => name)).toEqual(['e', 'd', 'c']);
    const first = await pageOfItems(all, Thing, 2);
    expect(first.items.map(({ name }) => name)).toEqual(['a', 'b']);
    expect((await pageOfItems(all, Thing, 9, first.next)).items.map(({ name }) => name)).toEqual(['c', 'd', 'e']);
  });
});
