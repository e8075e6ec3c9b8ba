import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IntegrationEntry } from '../../../shared/integration-file/merge.ts';
import {
  type AdminWindow,
  deleteWindowMark,
  listOpenWindows,
  markWindowOpen,
  readWindow,
} from '../../../shared/targets/admin-windows.ts';
import {
  deleteTargetPayer,
  listServiceAccountPayers,
  listTargetPayers,
  markGranted,
  markProven,
  markPublished,
  markRemoving,
  markUnloaded,
  needsTarget,
} from '../../../shared/targets/payers-of-target.ts';
import {
  deleteTargetSettings,
  fixTargetSettings,
  listOtherTargets,
  moveServiceAccount,
  readTargetSettings,
} from '../../../shared/targets/target-settings.ts';
import { addPayerTarget, listPayerTargets } from '../../../shared/targets/targets-of-payer.ts';
import { HubServices } from '../../support/hub-services.ts';

let hub: HubServices;
beforeEach(async () => {
  hub = new HubServices();
  await hub.start();
});
afterEach(() => hub.stop());

const clusterArn = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';
const target = { clusterArn, namespace: 'kubecost', secretName: 'cloud-integration' };
const payer = '111122223333';
const roleArn = `arn:aws:iam::${payer}:role/kubecost-cur-access`;
const roles = { payerRoleArn: roleArn, podRoleArn: 'arn:aws:iam::222233334444:role/kubecost-pod' };
const entry: IntegrationEntry = {
  payerAccountId: payer,
  athenaResultsLocation: 's3://results',
  athenaRegion: 'us-east-1',
  athenaDatabase: 'athenacurcfn_kubecost_cur',
  athenaTable: 'kubecost_cur',
  athenaWorkgroup: 'primary',
  payerRoleArn: roleArn,
};

describe('a departing payer of a target', () => {
  const item = async () => (await listTargetPayers(target))[0];

  it('needs the target until its entry is unloaded', async () => {
    await markGranted(target, payer, roles);
    await markUnloaded(target, payer);
    expect(await item()).not.toHaveProperty('unloaded');
    await markRemoving(target, payer);
    expect([await item()].map((one) => one && needsTarget(one))).toEqual([true]);
    await markUnloaded(target, payer);
    expect([await item()].map((one) => one && needsTarget(one))).toEqual([false]);
    await markGranted(target, payer, roles);
    await markRemoving(target, payer);
    expect([await item()].map((one) => one && needsTarget(one))).toEqual([true]);
  });

  it('is deleted only while it is being removed', async () => {
    await markGranted(target, payer, roles);
    await deleteTargetPayer(target, payer);
    expect(await listTargetPayers(target)).toHaveLength(1);
    await markRemoving(target, payer);
    await deleteTargetPayer(target, payer);
    await deleteTargetPayer(target, payer);
    expect(await listTargetPayers(target)).toEqual([]);
  });
});

describe('the targets of a cluster', () => {
  it('are listed with the payers that share a service account', async () => {
    const settings = { identityMode: 'irsa', serviceAccount: 'kubecost', format: 'auto' } as const;
    const second = { ...target, secretName: 'second' };
    const elsewhere = { ...target, namespace: 'opencost' };
    for (const one of [target, second, elsewhere]) {
      await fixTargetSettings(one, settings);
      await markGranted(one, payer, roles);
    }
    expect(await listOtherTargets(target)).toEqual([second, elsewhere]);
    expect((await listServiceAccountPayers(target, 'kubecost')).map((one) => one.target)).toEqual([target, second]);
    expect((await listServiceAccountPayers(target, 'other')).map((one) => one.target)).toEqual([target]);
    await deleteTargetSettings(second);
    expect(await readTargetSettings(second)).toBeUndefined();
    expect(await listOtherTargets(target)).toEqual([elsewhere]);
  });
});

describe('the settings of a target', () => {
  it('are fixed by the first run', async () => {
    expect(await readTargetSettings(target)).toBeUndefined();
    const answers = await Promise.all([
      fixTargetSettings(target, { identityMode: 'irsa', serviceAccount: 'one', format: 'auto' }),
      fixTargetSettings(target, { identityMode: 'pod-identity', serviceAccount: 'two', format: 'legacy' }),
      fixTargetSettings(target, { identityMode: 'irsa', serviceAccount: 'three', format: 'auto' }),
    ]);
    const fixed = await readTargetSettings(target);
    expect(fixed).toMatchObject({ serviceAccount: expect.stringMatching(/one|two|three/) as string });
    for (const answer of answers) expect(fixed).toMatchObject(answer);
    expect(await fixTargetSettings(target, { identityMode: 'irsa', serviceAccount: 'four', format: 'auto' })).toEqual(
      fixed,
    );
    expect(await readTargetSettings({ ...target, secretName: 'other' })).toBeUndefined();
  });

  it('follow a moved service account, also when repeated', async () => {
    await fixTargetSettings(target, { identityMode: 'irsa', serviceAccount: 'one', format: 'auto' });
    await moveServiceAccount(target, 'one', 'two');
    await moveServiceAccount(target, 'one', 'two');
    const retryable = { name: 'RetryableError' };
    await expect(moveServiceAccount(target, 'one', 'three'), 'after a stale read').rejects.toMatchObject(retryable);
    expect(await readTargetSettings(target)).toMatchObject({ identityMode: 'irsa', serviceAccount: 'two' });
    const other = { ...target, secretName: 'other' };
    await expect(moveServiceAccount(other, 'one', 'two'), 'never fixed').rejects.toMatchObject(retryable);
    expect(await readTargetSettings(other)).toBeUndefined();
  });
});

describe('a payer at a target', () => {
  const states = async () =>
    (await listTargetPayers(target)).map(({ payerAccountId, state }) => [payerAccountId, state]);

  it('becomes granted, then proven, and stays proven', async () => {
    await markGranted(target, payer, roles);
    expect(await states()).toEqual([[payer, 'granted']]);
    await markProven(target, entry, { takeOver: false });
    await markGranted(target, payer, { ...roles, payerRoleArn: `${roleArn}-2` });
    expect(await listTargetPayers(target)).toMatchObject([
      { payerAccountId: payer, state: 'proven', payerRoleArn: `${roleArn}-2`, entry },
    ]);
  });

  it('keeps the key of its entry until the next publication', async () => {
    await markProven(target, entry, { takeOver: true });
    await markPublished(target, payer, 'one');
    await markGranted(target, payer, roles);
    await markProven(target, { ...entry, athenaTable: 'other' }, { takeOver: false });
    expect(await listTargetPayers(target)).toMatchObject([
      { state: 'proven', publishedKey: 'one', takeOver: false, entry: { athenaTable: 'other' } },
    ]);
    await markPublished(target, payer, 'two');
    expect(await listTargetPayers(target)).toMatchObject([{ publishedKey: 'two' }]);
  });

  it('is not recreated by a publication after its item is lost', async () => {
    await markPublished(target, payer, 'one');
    expect(await listTargetPayers(target)).toEqual([]);
  });

  it('can be removed even if its item is lost', async () => {
    await markRemoving(target, payer, 'one');
    expect(await listTargetPayers(target)).toMatchObject([
      { payerAccountId: payer, state: 'removing', payerRoleArn: roleArn, publishedKey: 'one' },
    ]);
    const other = { ...target, namespace: 'opencost' };
    await markProven(other, { ...entry, payerRoleArn: `${roleArn}-2` }, { takeOver: false });
    await markPublished(other, payer, 'two');
    await markRemoving(other, payer);
    expect(await listTargetPayers(other)).toMatchObject([
      { state: 'removing', payerRoleArn: `${roleArn}-2`, publishedKey: 'two', entry: { payerAccountId: payer } },
    ]);
  });

  it('becomes granted and proven again after a removal was started', async () => {
    await markRemoving(target, payer, 'one');
    await markGranted(target, payer, roles);
    expect(await states()).toEqual([[payer, 'granted']]);
    await markRemoving(target, payer);
    await markProven(target, entry, { takeOver: false });
    expect(await states()).toEqual([[payer, 'proven']]);
    expect(await listTargetPayers(target)).toMatchObject([{ publishedKey: 'one' }]);
  });

  it('is listed even if the list has several pages', async () => {
    await markGranted(target, payer, roles);
    const [item] = await hub.items('target#');
    // More than one page: a query returns at most 1 MB.
    for (const number of [1, 2, 3, 4, 5])
      await hub.put({ ...item, sk: `payer#00000000000${number}`, filler: 'x'.repeat(300_000) });
    expect(await listTargetPayers(target)).toHaveLength(6);
    expect(await listTargetPayers({ ...target, namespace: 'opencost' })).toEqual([]);
  });
});

describe('a target of a payer', () => {
  it('is listed once, with every pod role that was registered for it', async () => {
    const podRole = (name: string) => `arn:aws:iam::222233334444:role/${name}`;
    await Promise.all(['b', 'a', 'b'].map((name) => addPayerTarget(payer, target, podRole(name))));
    await addPayerTarget(payer, { ...target, namespace: 'opencost' }, podRole('c'));
    expect(await listPayerTargets(payer)).toEqual([
      {
        targetId: `${clusterArn}|kubecost|cloud-integration`,
        podRoleArns: [podRole('a'), podRole('b')],
        state: 'active',
      },
      { targetId: `${clusterArn}|opencost|cloud-integration`, podRoleArns: [podRole('c')], state: 'active' },
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

  it('is readable by cluster and listed until the window is closed', async () => {
    await markWindowOpen(clusterArn, window);
    expect(await readWindow(clusterArn)).toMatchObject(window);
    expect(await listOpenWindows()).toMatchObject([{ ...window, clusterArn }]);
    await deleteWindowMark(clusterArn, 'another');
    expect(await readWindow(clusterArn), 'another run’s mark stays').toMatchObject(window);
    await deleteWindowMark(clusterArn, 'a');
    expect(await readWindow(clusterArn)).toBeUndefined();
    expect(await listOpenWindows()).toEqual([]);
  });

  it('is renewed by its run and not replaced by another run', async () => {
    await markWindowOpen(clusterArn, window);
    await markWindowOpen(clusterArn, { ...window, openedAt: 2 });
    await expect(markWindowOpen(clusterArn, { ...window, runId: 'b' })).rejects.toMatchObject({
      name: 'RetryableError',
    });
    expect(await readWindow(clusterArn)).toMatchObject({ runId: 'a', openedAt: 2 });
  });
});
