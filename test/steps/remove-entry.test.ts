/** The first step of an offboarding: it removes the entry; then the consumer unloads it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRun } from '../../shared/runs/run-table.ts';
import {
  deleteTargetPayer,
  listTargetPayers,
  markRemoving,
  markUnloaded,
} from '../../shared/targets/payers-of-target.ts';
import { connectionStatuses, type KubecostGeneration } from '../sandbox/index.ts';
import { keyOf, PublicationHarness } from '../support/publication-harness.ts';
import type { StepOutcome } from '../support/take-step.ts';

const [one, two, three] = ['300000000001', '300000000002', '300000000003'] as const;

let world: PublicationHarness;

function fresh(generation: KubecostGeneration = '3.x') {
  beforeEach(async () => {
    world = await PublicationHarness.start(generation);
  });
  afterEach(() => world.close());
}

const kubernetes = () => world.access.cluster.kubernetes;
const minutes = (count: number) => world.access.world.clock.sleep(count * 60_000);
const statuses = () => connectionStatuses(world.access.world, world.target.clusterArn);
const secretOf = (name = 'cloud-integration') => kubernetes().get('Secret', 'kubecost', name);
const outputOf = ({ record }: StepOutcome) =>
  record.output as { removed: string[]; kept: object[]; otherKeys: string[] };
const foreign = (account: string, role: string) => ({
  athenaBucketName: 's3://by-hand',
  athenaRegion: 'us-east-1',
  athenaDatabase: 'theirs',
  athenaTable: 'cur',
  athenaWorkgroup: 'primary',
  projectID: account,
  masterPayerARN: `arn:aws:iam::${account}:role/${role}`,
});

describe.each(['3.x', '2.x'] as const)('an offboarding at Kubecost %s', (generation) => {
  fresh(generation);

  it('removes only the payer’s entry and waits until it is unloaded', async () => {
    const azure = `{ "azure" : [ {"azureSubscriptionID":"s","azureStorageAccount":"a","azureStorageAccessKey":"k","azureStorageContainer":"c","azureContainerPath":"","azureCloud":"public"} ] }\n`;
    world.access.putFile(azure, { annotations: { team: 'finops' } });
    await world.publish(two);
    const before = world.access.file();
    await world.publish(one);
    await minutes(10);
    expect(Object.keys(statuses())).toContain(keyOf(one));
    const { rolls } = world.tally;

    const offboarding = await world.newOffboarding(one);
    const taken = await world.access.take(offboarding, 'remove-entry');
    expect(taken.error).toBeUndefined();
    expect(outputOf(taken)).toMatchObject({ removed: [keyOf(one)], kept: [] });
    expect(outputOf(taken).otherKeys).toContain(keyOf(two));
    expect(world.access.file()).toBe(before);
    expect(world.tally.rolls - rolls).toBe(generation === '3.x' ? 1 : 0);

    const proof = await world.access.take(offboarding, 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'gone' });
    expect(Object.keys(statuses())).not.toContain(keyOf(one));
    expect(proof.seconds).toBeLessThan(300);
  });
});

describe('an offboarding', () => {
  fresh();

  it('of the last payer removes our annotations from a foreign secret', async () => {
    const text = '{"aws": []}';
    world.access.putFile(text, { annotations: { team: 'finops' } });
    await world.publish(one);
    expect(Object.keys(secretOf()?.metadata.annotations ?? {})).toHaveLength(3);
    await world.leave(one);
    expect(secretOf()?.metadata.annotations).toEqual({ team: 'finops' });
    expect(world.access.file()).toBe(text);
  });

  it('of several payers writes and restarts once for all', async () => {
    for (const payer of [one, two, three]) await world.publish(payer);
    await minutes(10);
    const { secretWrites, rolls } = world.tally;
    const offboardings = await Promise.all([one, two].map((payer) => world.newOffboarding(payer)));
    await Promise.all(offboardings.map((run) => world.access.take(run, 'remove-entry')));
    expect(world.keys()).toEqual([keyOf(three)]);
    expect(world.tally.secretWrites - secretWrites).toBe(1);
    expect(world.tally.rolls - rolls).toBe(1);
  });

  it('changes nothing if the payer’s entry is already gone', async () => {
    for (const payer of [one, two]) await world.publish(payer);
    await world.leave(one);
    const tally = { ...world.tally };
    const again = await world.leave(one);
    expect(again.done).toEqual([]);
    expect(world.tally).toEqual(tally);
  });

  it('removes the entry if the table has lost the payer', async () => {
    for (const payer of [one, two]) await world.publish(payer);
    await markRemoving(world.target, one);
    await deleteTargetPayer(world.target, one);
    expect(outputOf(await world.leave(one)).removed).toEqual([keyOf(one)]);
    expect(world.keys()).toEqual([keyOf(two)]);
  });

  it.each([1, 2, 3])('continues after a crash at write %i', async (write) => {
    for (const payer of [one, two]) await world.publish(payer);
    await minutes(10);
    const { rolls } = world.tally;
    const offboarding = await world.newOffboarding(one);
    await world.access.crash(offboarding, 'remove-entry', write);
    expect(await world.access.take(offboarding, 'remove-entry')).toMatchObject({ status: 'succeeded' });
    expect(world.keys()).toEqual([keyOf(two)]);
    expect(world.tally.rolls - rolls).toBe(1);
    expect(await world.access.take(offboarding, 'unload-proof')).toMatchObject({ status: 'succeeded' });
  });

  it('marks the payer before it removes the entry', async () => {
    await world.publish(one);
    await minutes(10);
    const offboarding = await world.newOffboarding(one);
    await world.access.crash(offboarding, 'remove-entry', 0);
    expect((await listTargetPayers(world.target)).map(({ state }) => state)).toEqual(['removing']);
    await world.publish(two);
    expect(world.keys()).toEqual([keyOf(two)]);
  });
});

describe('an entry that we must not remove', () => {
  fresh();

  it('stops the run if Helm now owns the secret', async () => {
    await world.publish(one);
    const text = world.access.file() ?? '';
    world.access.putFile(text, { labels: { 'app.kubernetes.io/managed-by': 'Helm' } });
    const offboarding = await world.newOffboarding(one);
    const { error } = await world.access.take(offboarding, 'remove-entry');
    expect(error).toMatchObject({ code: 'entry-still-there', actor: 'cluster owner' });
    expect(error?.message).toContain(`belongs to Helm: ${keyOf(one)}`);
    expect(world.access.file()).toBe(text);

    world.access.putFile('{"aws": []}', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } });
    expect(await world.access.take(offboarding, 'remove-entry')).toMatchObject({ status: 'succeeded' });
  });

  it('stops the run if it uses the payer role', async () => {
    const text = JSON.stringify({ aws: [foreign(one, 'kubecost-cur-access')] });
    world.access.putFile(text);
    const { error } = await world.access.take(await world.newOffboarding(one, null), 'remove-entry');
    expect(error).toMatchObject({ code: 'entry-still-there' });
    expect(error?.message).toContain(`${one}/s3://by-hand`);
    expect(world.access.file()).toBe(text);
  });

  it('stays if it uses a role of its owner', async () => {
    const text = JSON.stringify({ aws: [foreign(one, 'theirs')] });
    world.access.putFile(text);
    const taken = await world.access.take(await world.newOffboarding(one, null), 'remove-entry');
    expect(outputOf(taken).kept).toEqual([
      { resource: `entry ${one}/s3://by-hand of secret kubecost/cloud-integration`, why: 'we did not write it' },
    ]);
    expect(world.access.file()).toBe(text);
  });

  it('stays in a file that the consumer would not accept', async () => {
    await world.publish(one);
    const { labels = {}, annotations = {} } = secretOf()?.metadata ?? {};
    world.access.putFile('{"aws": [', { labels, annotations });
    const { error } = await world.leave(one);
    expect(error).toMatchObject({ code: 'secret-unparsable' });
    const stranger = await world.access.take(await world.newOffboarding(two, null), 'remove-entry');
    expect(stranger.record.warnings).toEqual([expect.stringContaining('left as it is')]);
    expect(world.access.file()).toBe('{"aws": [');
  });
});

describe('without our rights in the cluster', () => {
  fresh();
  it.each([
    [
      'the access entry',
      () => {
        world.access.cluster.accessEntries.clear();
      },
    ],
    [
      'the Role',
      () => {
        kubernetes().delete('Role', 'kubecost', 'kubecost-payer-onboarding');
      },
    ],
  ])('nothing is removed while the entry may exist: without %s', async (_, revoke) => {
    await world.publish(one);
    revoke();
    const { error } = await world.leave(one);
    expect(error).toMatchObject({ code: 'cluster-rights-missing' });
    expect(error?.message).toContain(keyOf(one));
  });

  it('the run continues if the entry was proven gone before', async () => {
    await world.publish(one);
    await world.leave(one);
    await markUnloaded(world.target, one);
    world.access.cluster.accessEntries.clear();
    const offboarding = await world.newOffboarding(one);
    const taken = await world.access.take(offboarding, 'remove-entry');
    expect(taken.status).toBe('succeeded');
    expect(taken.record.warnings).toEqual([expect.stringContaining('was not checked')]);
    expect((await world.access.take(offboarding, 'unload-proof')).record.output).toEqual({ verdict: 'not-seen' });
  });

  it('a payer that was never onboarded is offboarded', async () => {
    world.access.cluster.accessEntries.clear();
    expect(await world.access.take(await world.newOffboarding(one, null), 'remove-entry')).toMatchObject({
      status: 'succeeded',
    });
  });
});

describe('the proof that an entry is gone', () => {
  fresh();

  const editByHand = () => {
    const { labels = {}, annotations = {} } = secretOf()?.metadata ?? {};
    world.access.putFile('{"aws": []}', { labels, annotations });
  };

  it('fails after 30 minutes if pods keep the file', async () => {
    await world.publish(one);
    await minutes(10);
    const offboarding = await world.newOffboarding(one);
    editByHand();
    const { error, seconds } = await world.access.take(offboarding, 'unload-proof');
    expect(seconds).toBeGreaterThanOrEqual(1800);
    expect(error).toMatchObject({ code: 'entry-still-loaded', actor: 'cluster owner' });
    expect(error?.message).toContain('deployment/kubecost-cloud-cost');
  });

  it('fails if somebody has put the entry back', async () => {
    await world.publish(one);
    const { error } = await world.access.take(await world.newOffboarding(one), 'unload-proof');
    expect(error).toMatchObject({ code: 'entry-still-there' });
  });

  it('uses the pods’ age if the status cannot be read', async () => {
    await world.publish(one);
    await minutes(10);
    const offboarding = await world.newOffboarding(one);
    await world.access.take(offboarding, 'remove-entry');
    kubernetes().workloads.blocked = true;
    const proof = await world.access.take(offboarding, 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'gone' });
    expect((await readRun(offboarding))?.steps['unload-proof']?.changes).toEqual([]);
  });

  it('waits until the owner restarts pods that still have the entry', async () => {
    await world.publish(one);
    await minutes(10);
    editByHand();
    const offboarding = await world.newOffboarding(one, null);
    expect(await world.access.invoke(offboarding, 'unload-proof')).toMatchObject({ status: 'waiting' });
    expect((await readRun(offboarding))?.steps['unload-proof']?.waiting?.for).toContain(`unload ${keyOf(one)}`);
    const deployment = structuredClone(kubernetes().get('Deployment', 'kubecost', 'kubecost-cloud-cost'));
    const { template } = (deployment as unknown as { spec: { template: { metadata: object } } }).spec;
    Object.assign(template.metadata, { annotations: { restarted: 'by hand' } });
    kubernetes().apply(deployment as never);
    expect((await world.access.take(offboarding, 'unload-proof')).record.output).toEqual({ verdict: 'gone' });
    expect(Object.keys(statuses())).toEqual([]);
  });

  it('does not wait for a consumer that never had the payer', async () => {
    await world.publish(two);
    const proof = await world.access.take(await world.newOffboarding(one, null), 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'gone' });
    expect(proof.seconds).toBe(0);
  });

  it('does not wait if nothing is installed', async () => {
    await world.publish(one);
    kubernetes().uninstallKubecost({ generation: '3.x' });
    const offboarding = await world.newOffboarding(one);
    await world.access.take(offboarding, 'remove-entry');
    const proof = await world.access.take(offboarding, 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'not-installed' });
  });
});
