/** The first thing that an offboarding does: the entry goes, and the consumer lets go of it. */
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

  it('takes the payer’s entry out, leaves every other byte, and goes on once the consumer has let go of it', async () => {
    const azure = `{ "azure" : [ {"azureSubscriptionID":"s","azureStorageAccount":"a","azureStorageAccessKey":"k","azureStorageContainer":"c","azureContainerPath":"","azureCloud":"public"} ] }\n`;
    world.access.putFile(azure, { annotations: { team: 'finops' } });
    await world.publish(two);
    const before = world.access.file();
    await world.publish(one);
    await minutes(10);
    expect(Object.keys(statuses())).toContain(keyOf(one));
    const { rolls } = world.tally;

    const leaver = await world.newOffboarding(one);
    const taken = await world.access.take(leaver, 'remove-entry');
    expect(taken.error).toBeUndefined();
    expect(outputOf(taken)).toMatchObject({ removed: [keyOf(one)], kept: [] });
    expect(outputOf(taken).otherKeys).toContain(keyOf(two));
    expect(world.access.file()).toBe(before);
    expect(world.tally.rolls - rolls).toBe(generation === '3.x' ? 1 : 0);

    const proof = await world.access.take(leaver, 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'gone' });
    expect(Object.keys(statuses())).not.toContain(keyOf(one));
    expect(proof.seconds).toBeLessThan(300);
  });
});

describe('an offboarding', () => {
  fresh();

  it('of the last payer takes our marks off a secret that is somebody else’s', async () => {
    const text = '{"aws": []}';
    world.access.putFile(text, { annotations: { team: 'finops' } });
    await world.publish(one);
    expect(Object.keys(secretOf()?.metadata.annotations ?? {})).toHaveLength(3);
    await world.leave(one);
    expect(secretOf()?.metadata.annotations).toEqual({ team: 'finops' });
    expect(world.access.file()).toBe(text);
  });

  it('of payers that leave at once writes and restarts for all of them together', async () => {
    for (const payer of [one, two, three]) await world.publish(payer);
    await minutes(10);
    const { secretWrites, rolls } = world.tally;
    const leavers = await Promise.all([one, two].map((payer) => world.newOffboarding(payer)));
    await Promise.all(leavers.map((run) => world.access.take(run, 'remove-entry')));
    expect(world.keys()).toEqual([keyOf(three)]);
    expect(world.tally.secretWrites - secretWrites).toBe(1);
    expect(world.tally.rolls - rolls).toBe(1);
  });

  it('changes nothing when the payer is gone already', async () => {
    for (const payer of [one, two]) await world.publish(payer);
    await world.leave(one);
    const tally = { ...world.tally };
    const again = await world.leave(one);
    expect(again.done).toEqual([]);
    expect(world.tally).toEqual(tally);
  });

  it('takes the entry out where an emptied table knows the payer no more', async () => {
    for (const payer of [one, two]) await world.publish(payer);
    await markRemoving(world.target, one);
    await deleteTargetPayer(world.target, one);
    expect(outputOf(await world.leave(one)).removed).toEqual([keyOf(one)]);
    expect(world.keys()).toEqual([keyOf(two)]);
  });

  it.each([1, 2, 3])('goes on where a crash after write %i left it', async (write) => {
    for (const payer of [one, two]) await world.publish(payer);
    await minutes(10);
    const { rolls } = world.tally;
    const leaver = await world.newOffboarding(one);
    await world.access.crash(leaver, 'remove-entry', write);
    expect(await world.access.take(leaver, 'remove-entry')).toMatchObject({ status: 'succeeded' });
    expect(world.keys()).toEqual([keyOf(two)]);
    expect(world.tally.rolls - rolls).toBe(1);
    expect(await world.access.take(leaver, 'unload-proof')).toMatchObject({ status: 'succeeded' });
  });

  it('marks the payer before the entry goes, so that no other run puts it back', async () => {
    await world.publish(one);
    await minutes(10);
    const leaver = await world.newOffboarding(one);
    await world.access.crash(leaver, 'remove-entry', 0);
    expect((await listTargetPayers(world.target)).map(({ state }) => state)).toEqual(['removing']);
    await world.publish(two);
    expect(world.keys()).toEqual([keyOf(two)]);
  });
});

describe('an entry that is not ours to take out', () => {
  fresh();

  it('because Helm has the secret by now stops the run before anything it works through goes', async () => {
    await world.publish(one);
    const text = world.access.file() ?? '';
    world.access.putFile(text, { labels: { 'app.kubernetes.io/managed-by': 'Helm' } });
    const leaver = await world.newOffboarding(one);
    const { error } = await world.access.take(leaver, 'remove-entry');
    expect(error).toMatchObject({ code: 'entry-still-there', actor: 'cluster owner' });
    expect(error?.message).toContain(`belongs to Helm: ${keyOf(one)}`);
    expect(world.access.file()).toBe(text);

    world.access.putFile('{"aws": []}', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } });
    expect(await world.access.take(leaver, 'remove-entry')).toMatchObject({ status: 'succeeded' });
  });

  it('stops the run where it works through the payer role', async () => {
    const text = JSON.stringify({ aws: [foreign(one, 'kubecost-cur-access')] });
    world.access.putFile(text);
    const { error } = await world.access.take(await world.newOffboarding(one, null), 'remove-entry');
    expect(error).toMatchObject({ code: 'entry-still-there' });
    expect(error?.message).toContain(`${one}/s3://by-hand`);
    expect(world.access.file()).toBe(text);
  });

  it('stays where it works through a role of its owner’s', async () => {
    const text = JSON.stringify({ aws: [foreign(one, 'theirs')] });
    world.access.putFile(text);
    const taken = await world.access.take(await world.newOffboarding(one, null), 'remove-entry');
    expect(outputOf(taken).kept).toEqual([
      { resource: `entry ${one}/s3://by-hand of secret kubecost/cloud-integration`, why: 'we did not write it' },
    ]);
    expect(world.access.file()).toBe(text);
  });

  it('in a file that the consumer would not accept is left, and so is the file', async () => {
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

describe('where our rights in the cluster are gone', () => {
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
  ])('nothing goes while the entry may still be there: without %s', async (_, revoke) => {
    await world.publish(one);
    revoke();
    const { error } = await world.leave(one);
    expect(error).toMatchObject({ code: 'cluster-rights-missing' });
    expect(error?.message).toContain(keyOf(one));
  });

  it('the run goes on if the entry was proven gone before', async () => {
    await world.publish(one);
    await world.leave(one);
    await markUnloaded(world.target, one);
    world.access.cluster.accessEntries.clear();
    const leaver = await world.newOffboarding(one);
    const taken = await world.access.take(leaver, 'remove-entry');
    expect(taken.status).toBe('succeeded');
    expect(taken.record.warnings).toEqual([expect.stringContaining('was not checked')]);
    expect((await world.access.take(leaver, 'unload-proof')).record.output).toEqual({ verdict: 'not-seen' });
  });

  it('a payer that was never onboarded is offboarded all the same', async () => {
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

  it('waits half an hour for pods that keep the file, and then asks for a person', async () => {
    await world.publish(one);
    await minutes(10);
    const leaver = await world.newOffboarding(one);
    editByHand();
    const { error, seconds } = await world.access.take(leaver, 'unload-proof');
    expect(seconds).toBeGreaterThanOrEqual(1800);
    expect(error).toMatchObject({ code: 'entry-still-loaded', actor: 'cluster owner' });
    expect(error?.message).toContain('deployment/kubecost-cloud-cost');
  });

  it('tells who has put the entry back meanwhile', async () => {
    await world.publish(one);
    const { error } = await world.access.take(await world.newOffboarding(one), 'unload-proof');
    expect(error).toMatchObject({ code: 'entry-still-there' });
  });

  it('goes by the pods’ age where the consumer cannot be asked', async () => {
    await world.publish(one);
    await minutes(10);
    const leaver = await world.newOffboarding(one);
    await world.access.take(leaver, 'remove-entry');
    kubernetes().workloads.blocked = true;
    const proof = await world.access.take(leaver, 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'gone' });
    expect((await readRun(leaver))?.steps['unload-proof']?.changes).toEqual([]);
  });

  it('waits for the owner of a secret that is not ours to restart what still has the entry', async () => {
    await world.publish(one);
    await minutes(10);
    editByHand();
    const leaver = await world.newOffboarding(one, null);
    expect(await world.access.invoke(leaver, 'unload-proof')).toMatchObject({ status: 'waiting' });
    expect((await readRun(leaver))?.steps['unload-proof']?.waiting?.for).toContain(`unload ${keyOf(one)}`);
    const deployment = structuredClone(kubernetes().get('Deployment', 'kubecost', 'kubecost-cloud-cost'));
    const { template } = (deployment as unknown as { spec: { template: { metadata: object } } }).spec;
    Object.assign(template.metadata, { annotations: { restarted: 'by hand' } });
    kubernetes().apply(deployment as never);
    expect((await world.access.take(leaver, 'unload-proof')).record.output).toEqual({ verdict: 'gone' });
    expect(Object.keys(statuses())).toEqual([]);
  });

  it('asks nothing of a consumer that never had the payer', async () => {
    await world.publish(two);
    const proof = await world.access.take(await world.newOffboarding(one, null), 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'gone' });
    expect(proof.seconds).toBe(0);
  });

  it('has nothing to wait for where nothing is installed', async () => {
    await world.publish(one);
    kubernetes().uninstallKubecost({ generation: '3.x' });
    const leaver = await world.newOffboarding(one);
    await world.access.take(leaver, 'remove-entry');
    const proof = await world.access.take(leaver, 'unload-proof');
    expect(proof.record.output).toEqual({ verdict: 'not-installed' });
  });
});
