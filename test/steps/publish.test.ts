/** The shared resources of many payers in one cluster: the secret, and the pods that read it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownerLabels } from '../../shared/kubernetes/ownership-labels.ts';
import { targetId } from '../../shared/model/target.ts';
import { readSettings } from '../../shared/platform/settings.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import { takeLease } from '../../shared/table/lease.ts';
import { listTargetPayers, markRemoving } from '../../shared/targets/payers-of-target.ts';
import { fixTargetSettings } from '../../shared/targets/target-settings.ts';
import { measurePublication } from '../bench/publication.ts';
import type { KubecostGeneration } from '../sandbox/index.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { keyOf, PublicationHarness } from '../support/publication-harness.ts';

const [one, two, three] = ['300000000001', '300000000002', '300000000003'] as const;
const changedAt = 'kubecost-payer-onboarding/entries-changed-at';
const writtenBy = 'kubecost-payer-onboarding/deployment-id';
const helm = { labels: { 'app.kubernetes.io/managed-by': 'Helm' } };

let world: PublicationHarness;

function fresh(generation: KubecostGeneration = '3.x') {
  beforeEach(async () => {
    world = await PublicationHarness.start(generation);
  });
  afterEach(() => world.close());
}

const kubernetes = () => world.access.cluster.kubernetes;
const secret = () => kubernetes().get('Secret', 'kubecost', 'cloud-integration');
const sleep = (seconds: number) => world.access.world.clock.sleep(seconds * 1000);
const itemOf = async (payer: string) =>
  (await listTargetPayers(world.target)).find(({ payerAccountId }) => payerAccountId === payer);
const legacyEntry = (payer: string, more: object = {}) => ({
  athenaBucketName: `s3://results-${payer}`,
  athenaRegion: 'us-east-1',
  athenaDatabase: 'athenacurcfn_kubecost_cur',
  athenaTable: 'kubecost_cur',
  athenaWorkgroup: 'primary',
  projectID: payer,
  masterPayerARN: `arn:aws:iam::${payer}:role/kubecost-cur-access`,
  ...more,
});

describe('payers of one target', () => {
  fresh();

  it('are published together by the first run', async () => {
    const runs = [await world.newRun(one), await world.newRun(two)];
    const [first, second] = await Promise.all(runs.map((run) => world.access.take(run, 'publish')));
    expect(world.keys()).toEqual([keyOf(one), keyOf(two)]);
    expect(world.tally).toMatchObject({ secretWrites: 1, rolls: 1 });
    expect([...(first?.done ?? []), ...(second?.done ?? [])].sort()).toEqual(['create-secret', 'restart-workload']);
  });

  it('are awaited once, however long they take', async () => {
    await world.newRun(two);
    const run = await world.newRun(one);
    expect(await world.access.invoke(run, 'publish')).toMatchObject({ status: 'waiting', seconds: 15 });
    expect((await readRun(run))?.steps.publish?.waiting?.for).toBe('other payers to join the publication');
    expect(await world.access.invoke(run, 'publish')).toMatchObject({ status: 'succeeded' });
    expect(world.keys()).toEqual([keyOf(one)]);
  });

  it('stay in the file if their items are lost', async () => {
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(two)] }));
    await world.publish(one);
    expect(world.keys()).toEqual([keyOf(one), keyOf(two)]);
  });

  it('lose only a departing payer’s entry in the next publication', async () => {
    for (const payer of [one, two]) await world.publish(payer);
    await markRemoving(world.target, one);
    await world.publish(three);
    expect(world.keys()).toEqual([keyOf(two), keyOf(three)]);
  });

  it('lose a departing payer’s entry after the restart interval', async () => {
    for (const payer of [one, two]) await world.publish(payer);
    await markRemoving(world.target, one);
    expect((await world.publish(two)).done).toEqual(['keep-previous', 'update-secret', 'restart-workload']);
    expect(world.keys()).toEqual([keyOf(two)]);
  });

  it('regain a lost entry after the restart interval', async () => {
    for (const payer of [one, two]) await world.publish(payer);
    const { labels, annotations } = secret()?.metadata ?? {};
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(two)] }), { labels, annotations });
    await world.publish(two);
    expect(world.keys()).toEqual([keyOf(one), keyOf(two)]);
  });

  it('keep a departing payer’s entry that we did not write', async () => {
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(one)] }));
    await markRemoving(world.target, one);
    await world.publish(two);
    expect(world.keys()).toEqual([keyOf(one), keyOf(two)]);
  });

  it('regain the entry of a payer that returns', async () => {
    await world.publish(one);
    await markRemoving(world.target, one);
    await world.publish(two);
    await world.publish(one);
    expect(world.keys()).toEqual([keyOf(one), keyOf(two)]);
  });

  it('are published although one payer is refused', async () => {
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(one, { athenaTable: 'by_hand' })] }));
    const refused = await world.publish(one);
    expect(refused.error).toMatchObject({ code: 'entry-not-ours' });
    expect(await world.publish(two)).toMatchObject({ status: 'succeeded' });
    expect(world.access.file()).toContain('by_hand');
    expect(world.keys()).toEqual([keyOf(one), keyOf(two)]);
  });

  it('do not claim a hand-made entry with their key', async () => {
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(one, { athenaTable: 'by_hand' })] }));
    for (let attempt = 0; attempt < 2; attempt++)
      expect((await world.publish(one)).error).toMatchObject({ code: 'entry-not-ours' });
    expect((await itemOf(one))?.publishedKey).toBeUndefined();
    expect(await world.publish(one, { existing: 'take-over' })).toMatchObject({ status: 'succeeded' });
    expect(world.access.file()).not.toContain('by_hand');
  });

  it('get the mark that a crashed writer left out, without a change', async () => {
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(one)] }), {
      annotations: { [changedAt]: '2026-01-01T00:00:00Z' },
    });
    const taken = await world.publish(one);
    expect(taken.done).not.toContain('update-secret');
    expect(taken.done).not.toContain('mark-published');
    expect(await itemOf(one)).toMatchObject({ state: 'proven', publishedKey: keyOf(one) });
    const moved = await world.newRun(one, {}, 's3://moved');
    expect(await world.access.take(moved, 'publish')).toMatchObject({ status: 'succeeded' });
    expect(world.keys()).toEqual([`${one}/s3://moved`]);
  });

  it('wait for the lease of a crashed writer', async () => {
    await takeLease(`target#${targetId(world.target)}`, 'a run that died', 60_000);
    const taken = await world.publish(one);
    expect(taken.status).toBe('succeeded');
    expect(taken.seconds).toBeGreaterThanOrEqual(90);
  });

  it('end without the lease if another run has written their entry', async () => {
    await world.publish(one);
    await takeLease(`target#${targetId(world.target)}`, 'a run that is busy', 60_000);
    const again = await world.publish(one);
    expect(again).toMatchObject({ status: 'succeeded', done: [] });
    expect(again.seconds).toBe(0);
  });

  it('keep the format that the target’s first run requested', async () => {
    await fixTargetSettings(world.target, {
      identityMode: 'irsa',
      serviceAccount: 'kubecost',
      format: 'configurations',
    });
    await world.publish(one);
    expect(JSON.parse(world.access.file() ?? '')).toMatchObject({ aws: { athena: [{ account: one }] } });
  });
});

describe('the secret', () => {
  fresh();

  it('names its deployment and the time of its last change', async () => {
    world.access.putFile('{"aws":[]}', { labels: { team: 'finops' }, annotations: { note: 'keep' } });
    await world.publish(one);
    const { labels, annotations } = secret()?.metadata ?? {};
    expect(labels).toEqual({ team: 'finops' });
    expect(annotations).toMatchObject({ note: 'keep', [changedAt]: expect.stringMatching(/^20.*Z$/) as string });
    expect(annotations?.[writtenBy]).toBeTruthy();
  });

  it('is not replaced before its content is copied', async () => {
    const before = '{"aws":[],"azure":[]}';
    world.access.putFile(before);
    const run = await world.newRun(one);
    const { calls } = world.access.world;
    let reads = 0;
    calls.push = (...records) => {
      if (records.some(({ operation }) => operation === 'GET secrets') && ++reads === 2)
        world.access.putFile('{"aws":[]}', { labels: ownerLabels(readSettings()) }, 'kubecost', kept);
      return Array.prototype.push.apply(calls, records);
    };
    const kept = 'cloud-integration-previous';
    expect(await world.access.take(run, 'publish')).toMatchObject({ status: 'succeeded' });
    Reflect.deleteProperty(calls, 'push');
    const { data } = kubernetes().get('Secret', 'kubecost', kept) as { data?: Record<string, string> };
    expect(Buffer.from(data?.['cloud-integration.json'] ?? '', 'base64').toString()).toBe(before);
    expect(world.keys()).toEqual([keyOf(one)]);
  });

  it('is not changed if another deployment writes it', async () => {
    world.access.putFile('{"aws":[]}', { annotations: { [writtenBy]: 'another' } });
    expect((await world.publish(one)).error).toMatchObject({ code: 'owned-by-another-deployment' });
    expect(world.keys()).toEqual([]);
  });

  it('is refused with the message of the policy that rejects it', async () => {
    kubernetes().admission.rules.push({ kind: 'Secret', message: 'secrets come from the vault' });
    const { error } = await world.publish(one);
    expect(error).toMatchObject({ code: 'secret-rejected', actor: 'cluster owner' });
    expect(error?.message).toContain('secrets come from the vault');
  });

  it.each([
    ['a new secret', undefined],
    ['an existing secret', '{"aws":[]}'],
  ])('is checked before the wait for the bill: %s', async (_, file) => {
    if (file !== undefined) world.access.putFile(file);
    kubernetes().admission.rules.push({ kind: 'Secret', name: 'cloud-integration', message: 'not from here' });
    const run = await world.newRun(one);
    const { error } = await world.access.take(run, 'chain-proof');
    expect(error).toMatchObject({ code: 'secret-rejected' });
    expect(error?.message).toContain('not from here');
    expect(world.access.file()).toBe(file);
  });

  it('is not written by the check', async () => {
    world.access.putFile('{"aws":[]}');
    const before = secret();
    await world.access.take(await world.newRun(one), 'chain-proof');
    expect(secret()).toEqual(before);
  });
});

describe('a secret that its owner writes', () => {
  fresh();
  const artifacts = { kubecost: { publish: 'artifacts' } } as const;

  it('is not written, and the run names the artifact to apply', async () => {
    world.access.putFile('{"aws":[]}', helm);
    const before = secret();
    const taken = await world.publish(one, artifacts);
    expect(taken).toMatchObject({ status: 'succeeded', done: [] });
    expect(taken.record.output).toMatchObject({ mode: 'artifacts', key: keyOf(one), entry: legacyEntry(one) });
    expect(taken.record.warnings).toEqual([expect.stringContaining('/artifacts')]);
    expect(await itemOf(one)).toMatchObject({ state: 'granted' });
    expect(secret()).toEqual(before);
    expect(world.tally).toMatchObject({ rolls: 0 });
  });

  it('gets the entry in its format, without a warning once applied', async () => {
    world.access.putFile('{"aws":{"athena":[]}}', helm);
    expect((await world.publish(one, artifacts)).record.output).toMatchObject({ entry: { account: one } });
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(one)] }), helm);
    expect((await world.publish(one, artifacts)).record.warnings).toEqual([]);
  });

  it('is refused with another key of the payer, or if unreadable', async () => {
    world.access.putFile(JSON.stringify({ aws: [legacyEntry(one, { athenaBucketName: 's3://other' })] }), helm);
    expect((await world.publish(one, artifacts)).error).toMatchObject({ code: 'payer-already-integrated' });
    world.access.putFile('{"aws":[}', helm);
    expect((await world.publish(one, artifacts)).error).toMatchObject({ code: 'secret-unparsable' });
  });

  it.each([
    ['Helm owns it', '{"aws":[]}', undefined],
    ['it cannot be read', '{"aws":[}', 'secret-unparsable'],
  ])('is checked before the wait: %s', async (_, file, code) => {
    world.access.putFile(file, helm);
    kubernetes().admission.rules.push({ kind: 'Secret', message: 'not from here' });
    const { error } = await world.access.take(await world.newRun(one, artifacts), 'chain-proof');
    // These runs have no roles in AWS, because the chain is not tested here.
    if (code === undefined) expect(error?.code).not.toMatch(/^secret/);
    else expect(error).toMatchObject({ code });
  });
});

describe('the workload', () => {
  describe('that reads the file once', () => {
    fresh('3.x');

    it('is restarted once after its file has changed', async () => {
      expect((await world.publish(one)).done).toEqual(['create-secret', 'restart-workload']);
      expect(await world.publish(one)).toMatchObject({ status: 'succeeded', done: [] });
      expect(world.tally).toMatchObject({ secretWrites: 1, previousWrites: 0, rolls: 1 });
    });

    it('is not restarted for a publication without changes', async () => {
      await world.publish(one);
      await sleep(3600);
      expect((await world.publish(one)).done).toEqual([]);
      expect(world.tally.rolls).toBe(1);
    });

    it('is not restarted if somebody else edits the file', async () => {
      await world.publish(one);
      await sleep(3600);
      const { annotations, labels } = secret()?.metadata ?? {};
      const edited = (world.access.file() ?? '').replace('{', '{"azure":[],');
      world.access.putFile(edited, { annotations, labels });
      expect((await world.publish(one)).done).toEqual([]);
      expect(world.access.file()).toBe(edited);
      expect(world.tally.rolls).toBe(1);
    });

    it('is restarted if its pods are older than the entry', async () => {
      await sleep(60);
      world.access.putFile(JSON.stringify({ aws: [legacyEntry(one)] }));
      expect((await world.publish(one)).done).toEqual(['restart-workload']);
      expect((await world.publish(one)).done).toEqual([]);
    });

    it('is restarted by the next run if the writer crashed', async () => {
      const run = await world.newRun(one);
      await world.access.crash(run, 'publish', 1);
      expect(world.tally).toMatchObject({ secretWrites: 1, rolls: 0 });
      await world.publish(two);
      expect(await world.access.take(run, 'publish')).toMatchObject({ status: 'succeeded' });
      expect(world.tally).toMatchObject({ secretWrites: 2, rolls: 1 });
    });

    it('shows the planned restart in a dry run', async () => {
      world.access.putFile('{"aws":[]}');
      const run = await world.newRun(one, { dryRun: true });
      expect((await world.access.take(run, 'publish')).done).toEqual([
        'keep-previous',
        'update-secret',
        'restart-workload',
      ]);
      expect(world.access.file()).toBe('{"aws":[]}');
    });
  });

  describe('that refreshes its file', () => {
    fresh('2.x');

    it('is restarted only if its pods lack the role', async () => {
      const first = await world.publish(one);
      expect(first.done).toEqual(['create-secret', 'restart-workload']);
      await sleep(600);
      expect((await world.publish(two)).done).toEqual(['keep-previous', 'update-secret']);
      expect(world.tally.rolls).toBe(1);
    });
  });
});

/** The benchmark starts 200 runs, which would take too long here. */
it.each([
  ['in the same moment', isLongSuite ? 60 : 12, 0],
  ['within two minutes', isLongSuite ? 24 : 12, 120],
  ['within half an hour', isLongSuite ? 24 : 16, 1800],
])(
  'runs that end %s lose no entry, with few writes and restarts',
  async (_, runs, spreadSeconds) => {
    const measured = await measurePublication(runs, spreadSeconds);
    expect(measured).toMatchObject({ failed: 0, lost: 0 });
    expect(measured.secretWrites + measured.previousWrites).toBeLessThanOrEqual(40);
    expect(measured.rolls).toBeLessThanOrEqual(10);
    expect(measured.rolls, 'the workload rests between two restarts').toBeLessThanOrEqual(2 + spreadSeconds / 300);
    // Runs share writes, so there are fewer writes than runs.
    expect(measured.secretWrites).toBeLessThanOrEqual(runs / 2);
  },
  120_000,
);
