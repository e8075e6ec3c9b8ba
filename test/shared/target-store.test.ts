import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IntegrationEntry } from '../../shared/cloud-integration.ts';
import {
  addPayerTarget,
  fixTargetSettings,
  listOpenWindows,
  listPayerTargets,
  listTargetPayers,
  markGranted,
  markProven,
  markWindowOpen,
  markWindowShut,
  readTargetSettings,
  readWindow,
  type AdminWindow,
} from '../../shared/target-store.ts';
import { Hub } from '../api/hub.ts';

let hub: Hub;
beforeEach(async () => {
  hub = new Hub();
  await hub.start();
});
afterEach(() => hub.stop());

const clusterArn = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';
const target = { clusterArn, namespace: 'kubecost', secretName: 'cloud-integration' };
const payer = '111122223333';
const roleArn = `arn:aws:iam::${payer}:role/kubecost-cur-access`;
const entry: IntegrationEntry = {
  payerAccountId: payer,
  athenaResultsLocation: 's3://results',
  athenaRegion: 'us-east-1',
  athenaDatabase: 'athenacurcfn_kubecost_cur',
  athenaTable: 'kubecost_cur',
  athenaWorkgroup: 'primary',
  payerRoleArn: roleArn,
};

describe('the settings of a target', () => {
  it('are those of the first run that fixes them', async () => {
    expect(await readTargetSettings(target)).toBeUndefined();
    await Promise.all([
      fixTargetSettings(target, { identityMode: 'irsa', serviceAccount: 'one' }),
      fixTargetSettings(target, { identityMode: 'pod-identity', serviceAccount: 'two' }),
    ]);
    const fixed = await readTargetSettings(target);
    await fixTargetSettings(target, { identityMode: 'irsa', serviceAccount: 'three' });
    expect(await readTargetSettings(target)).toEqual(fixed);
    expect(await readTargetSettings({ ...target, secretName: 'other' })).toBeUndefined();
  });
});

describe('a payer at a target', () => {
  const states = async () =>
    (await listTargetPayers(target)).map(({ payerAccountId, state }) => [payerAccountId, state]);

  it('is granted, then proven, and stays proven', async () => {
    await markGranted(target, payer, roleArn);
    expect(await states()).toEqual([[payer, 'granted']]);
    await markProven(target, entry);
    await markGranted(target, payer, `${roleArn}-2`);
    expect(await listTargetPayers(target)).toMatchObject([
      { payerAccountId: payer, state: 'proven', payerRoleArn: `${roleArn}-2`, entry },
    ]);
  });

  it('is granted again if it was to be removed', async () => {
    await markProven(target, entry);
    const [item] = await hub.items('target#');
    await hub.put({ ...item, state: 'removing' });
    await markGranted(target, payer, roleArn);
    expect(await states()).toEqual([[payer, 'granted']]);
  });

  it('is listed among all others, however many there are', async () => {
    await markGranted(target, payer, roleArn);
    const [item] = await hub.items('target#');
    // More than one page: a query answers at most 1 MB.
    for (const number of [1, 2, 3, 4, 5])
      await hub.put({ ...item, sk: `payer#00000000000${number}`, entry: 'x'.repeat(300_000) });
    expect(await listTargetPayers(target)).toHaveLength(6);
    expect(await listTargetPayers({ ...target, namespace: 'opencost' })).toEqual([]);
  });
});

describe('a target of a payer', () => {
  it('is listed once, with the pod role of the last run', async () => {
    await addPayerTarget(payer, target, 'arn:aws:iam::222233334444:role/a');
    await addPayerTarget(payer, target, 'arn:aws:iam::222233334444:role/b');
    await addPayerTarget(payer, { ...target, namespace: 'opencost' }, 'arn:aws:iam::222233334444:role/c');
    expect(await listPayerTargets(payer)).toMatchObject([
      { podRoleArn: 'arn:aws:iam::222233334444:role/b', state: 'active' },
      { podRoleArn: 'arn:aws:iam::222233334444:role/c', state: 'active' },
    ]);
  });
});

describe('the mark of an admin window', () => {
  const window: AdminWindow = {
    clusterAccountId: '222233334444',
    region: 'eu-west-1',
    clusterName: 'finops',
    principalArn: 'arn:aws:iam::222233334444:role/kubecost-payer-onboarding/kubecost-cluster-provisioner',
    runId: 'a',
    openedAt: 1,
  };

  it('is read by its cluster and listed until the window is shut', async () => {
    await markWindowOpen(clusterArn, window);
    expect(await readWindow(clusterArn)).toMatchObject(window);
    expect(await listOpenWindows()).toMatchObject([{ ...window, clusterArn }]);
    await markWindowShut(clusterArn, 'another');
    expect(await readWindow(clusterArn), 'another run’s mark stays').toMatchObject(window);
    await markWindowShut(clusterArn, 'a');
    expect(await readWindow(clusterArn)).toBeUndefined();
    expect(await listOpenWindows()).toEqual([]);
  });

  it('is renewed by its run and never replaced by another’s', async () => {
    await markWindowOpen(clusterArn, window);
    await markWindowOpen(clusterArn, { ...window, openedAt: 2 });
    await expect(markWindowOpen(clusterArn, { ...window, runId: 'b' })).rejects.toMatchObject({
      name: 'RetryableError',
    });
    expect(await readWindow(clusterArn)).toMatchObject({ runId: 'a', openedAt: 2 });
  });
});
