/** After any history, the file has the wanted entries and every byte that is not ours. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { targetId } from '../../shared/model/target.ts';
import { takeLease } from '../../shared/table/lease.ts';
import { markRemoving } from '../../shared/targets/payers-of-target.ts';
import { type JsonMember, scanJson } from '../../shared/text/json-text-editing.ts';
import { tableName } from '../support/deployed-sandbox.ts';
import { spacedJson } from '../support/json-arbitrary.ts';
import { keyOf, PublicationHarness } from '../support/publication-harness.ts';

const payers = ['300000000001', '300000000002', '300000000003', '300000000004'] as const;
/** This payer is never offboarded, so one payer always publishes last. */
const lastPayer = '300000000009';

/** An edit by a third party: its own list, or an earlier copy of the file. */
type Edit = { azure: string; marksLost: boolean } | { copy: number };
/** An action of others, before or during a publication. */
type Interference =
  | { kind: 'edit'; edit: Edit }
  | { kind: 'leave'; payer: string }
  | { kind: 'empty-table' | 'save-table' | 'restore-table' };
type Event =
  | Interference
  | { kind: 'publish'; payer: string; diesAfter?: number; meanwhile?: { at: number; event: Interference } }
  | { kind: 'publish-together'; payer: string; other: string }
  /** Another run takes the lease from a slow run, and both write. */
  | { kind: 'overtake'; payer: string; other: string; at: number }
  | { kind: 'die-with-the-lease' }
  | { kind: 'sleep'; seconds: number };

const payer = fc.constantFrom(...payers, lastPayer);
const azure = spacedJson(
  fc.array(
    fc.record({
      azureSubscriptionID: fc.stringMatching(/^[a-z]{3,6}$/),
      azureStorageAccessKey: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
    }),
    { maxLength: 2 },
  ),
).map(({ text }) => text.trim());
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ azure, marksLost: fc.boolean() }) },
  fc.record({ copy: fc.nat({ max: 5 }) }),
);
/** The number of a read: a publication reads secrets twice to plan and twice before each write. */
const moment = fc.integer({ min: 1, max: 6 });
const interference: fc.Arbitrary<Interference> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), edit }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), payer: fc.constantFrom(...payers) }) },
  fc.record({ kind: fc.constantFrom('empty-table' as const, 'save-table' as const, 'restore-table' as const) }),
);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('publish' as const), payer }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('publish' as const), payer, diesAfter: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      payer,
      meanwhile: fc.record({ at: moment, event: interference }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('publish-together' as const), payer, other: payer }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('overtake' as const), payer, other: payer, at: moment }) },
  fc.constant({ kind: 'die-with-the-lease' as const }),
  fc.record({ kind: fc.constant('sleep' as const), seconds: fc.integer({ min: 1, max: 600 }) }),
  { weight: 5, arbitrary: interference },
);

let world: PublicationHarness;
let table: DynamoDBDocumentClient;

beforeAll(async () => {
  world = await PublicationHarness.start();
  table = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: world.access.sandbox.tableEndpoint }));
});
afterAll(async () => {
  table.destroy();
  await world.close();
});

type Item = Record<string, unknown>;

async function targetItems(): Promise<Item[]> {
  const { Items = [] } = await table.send(new ScanCommand({ TableName: tableName }));
  return Items.filter(({ pk }) => String(pk) === `target#${targetId(world.target)}`);
}

async function replaceItems(items: Item[]): Promise<void> {
  for (const { pk, sk } of await targetItems())
    await table.send(new DeleteCommand({ TableName: tableName, Key: { pk, sk } }));
  for (const item of items) await table.send(new PutCommand({ TableName: tableName, Item: item }));
}

const leaseScope = () => `target#${targetId(world.target)}`;

function loseLease(): Promise<unknown> {
  return table.send(new DeleteCommand({ TableName: tableName, Key: { pk: `lease#${leaseScope()}`, sk: 'lease' } }));
}

/** Acts at the nth read of a secret from now on, before its answer. Returns a function that stops this. */
function afterRead(n: number, act: () => unknown): () => void {
  const { calls } = world.access.world;
  let left = n;
  calls.push = (...records) => {
    const length = Array.prototype.push.apply(calls, records);
    if (records.some(({ operation }) => operation === 'GET secrets') && --left === 0) act();
    return length;
  };
  return () => void Reflect.deleteProperty(calls, 'push');
}

function azureMember(text: string): JsonMember | undefined {
  const root = scanJson(text);
  return root.kind === 'object' ? root.children.find(({ key }) => key === 'azure') : undefined;
}

/** The bytes that belong to the third party. */
function azureText(text = '{}'): string | undefined {
  const member = azureMember(text);
  return member && text.slice(member.value.start, member.value.end);
}

function withAzure(text: string, list: string): string {
  const member = azureMember(text);
  if (member) return text.slice(0, member.value.start) + list + text.slice(member.value.end);
  const rest = text.slice(text.indexOf('{') + 1);
  return `{ "azure" : ${list}${rest.trim() === '}' ? '' : ','}${rest}`;
}

/** One history, which starts with an empty cluster. */
class History {
  readonly wanted = new Set<string>([lastPayer]);
  readonly #runs = new Map<string, string>();
  /** The earlier files that the third party can write again. */
  readonly #copies: string[] = ['{}'];
  #saved: Item[] = [];
  /** The third party's last list. */
  foreign: string | undefined;

  static async begin(): Promise<History> {
    for (const name of ['cloud-integration', 'cloud-integration-previous'])
      world.access.cluster.kubernetes.delete('Secret', 'kubecost', name);
    await replaceItems([]);
    await loseLease();
    return new History();
  }

  async happen(one: Event): Promise<void> {
    switch (one.kind) {
      case 'publish':
        return this.#publish(one.payer, one);
      case 'publish-together':
        await Promise.all([this.#publish(one.payer), one.other === one.payer ? undefined : this.#publish(one.other)]);
        return;
      case 'overtake': {
        const overtaking: Promise<void>[] = [];
        const undo = afterRead(one.at, () => {
          if (one.other !== one.payer) overtaking.push(loseLease().then(() => this.#publish(one.other)));
        });
        await this.#publish(one.payer).finally(undo);
        await Promise.all(overtaking);
        return;
      }
      case 'leave':
        this.wanted.delete(one.payer);
        return markRemoving(world.target, one.payer, keyOf(one.payer));
      case 'die-with-the-lease':
        await takeLease(leaseScope(), 'a run that died', 60_000);
        return;
      case 'sleep':
        return world.access.world.clock.sleep(one.seconds * 1000);
      case 'empty-table':
        return replaceItems([]);
      case 'save-table':
        this.#saved = await targetItems();
        return;
      case 'restore-table':
        return replaceItems(this.#saved);
      case 'edit':
        this.#edit(one.edit);
    }
  }

  /** Marks each offboarded payer again, and publishes each wanted payer once more. */
  async settle(): Promise<void> {
    for (const left of payers) if (!this.wanted.has(left)) await markRemoving(world.target, left, keyOf(left));
    await this.again();
  }

  async again(): Promise<void> {
    for (const wanted of this.wanted) await this.#publish(wanted);
  }

  async #publish(payerAccountId: string, how: Partial<Extract<Event, { kind: 'publish' }>> = {}): Promise<void> {
    this.wanted.add(payerAccountId);
    const run = this.#runs.get(payerAccountId) ?? (await world.newRun(payerAccountId));
    this.#runs.set(payerAccountId, run);
    const { diesAfter, meanwhile } = how;
    if (diesAfter !== undefined) return world.access.crash(run, 'publish', diesAfter);
    const interfering: Promise<void>[] = [];
    const undo = meanwhile
      ? afterRead(meanwhile.at, () => interfering.push(this.happen(meanwhile.event)))
      : () => undefined;
    expect((await world.access.take(run, 'publish').finally(undo)).error).toBeUndefined();
    await Promise.all(interfering);
    const file = world.access.file();
    if (file !== undefined) this.#copies.push(file);
  }

  #edit(change: Edit): void {
    const { kubernetes } = world.access.cluster;
    const { labels, annotations } = kubernetes.get('Secret', 'kubecost', 'cloud-integration')?.metadata ?? {};
    if ('copy' in change) {
      const copy = this.#copies[change.copy % this.#copies.length] ?? '{}';
      world.access.putFile(copy, { labels, annotations });
      this.foreign = azureText(copy);
      return;
    }
    const text = withAzure(world.access.file() ?? '{}', change.azure);
    world.access.putFile(text, change.marksLost ? {} : { labels, annotations });
    this.foreign = change.azure;
  }
}

/** Histories that once ended with a wrong file. */
const found: Event[][] = [
  // A run that found its own entry during the restart interval did not remove the departing payer's.
  [
    { kind: 'publish', payer: lastPayer },
    { kind: 'publish', payer: payers[0] },
    { kind: 'leave', payer: payers[0] },
  ],
];

it('any history ends with the wanted entries and every foreign byte', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 3, maxLength: 9 }), async (events) => {
      const history = await History.begin();
      for (const one of events) await history.happen(one);
      await history.settle();

      const entries = world.keys().filter((key) => key.includes('s3://results-'));
      expect(entries).toEqual([...history.wanted].map(keyOf).sort());
      expect(azureText(world.access.file())).toBe(history.foreign);

      const before = { ...world.tally };
      await history.again();
      expect(world.tally).toEqual(before);
    }),
    { numRuns: 6, examples: found.map((events) => [events]), endOnFailure: true, timeout: 120_000 },
  );
});
