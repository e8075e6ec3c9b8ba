import { rules } from '../../shared/cluster/provisioner-role.ts';
import { takenUpSeconds } from '../../shared/kubecost/connection-status.ts';
import { loadedKeys } from '../../shared/kubecost/read-connection.ts';
import { isReady } from '../../shared/kubernetes/pods.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { type DepartingPayer, departingPayerOf } from '../../shared/offboarding/departing-payer-of-run.ts';
import { payerKeys, readSecret } from '../../shared/publication/integration-secret.ts';
import { listSecretReaders, mayReadSecret, type SecretReader } from '../../shared/publication/mounting-workloads.ts';
import { closelyMs, watchedInVain, watchWait, watchWaits } from '../../shared/publication/watch-intervals.ts';
import { holdersOfOldFile } from '../../shared/publication/workload-restart.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

interface Observation {
  /** The cluster no longer exists, or denies us access. */
  isHidden: boolean;
  /** The file holds the entry again. */
  isBack: boolean;
  readers: Watched[];
}

interface Watched extends Pick<SecretReader, 'workload' | 'mount'> {
  /** Names of the pods that will never see the file as it is. */
  stale: string[];
  /** Whether it should have pods, and whether one of them is ready. */
  wantsPods: boolean;
  isReady: boolean;
  /** Keys of the payer that the workload has loaded and that the file no longer has; undefined if its status cannot be read. */
  lingering: string[] | undefined;
}

const unseen: Observation = { isHidden: true, isBack: false, readers: [] };

/** What the run waits for at this workload; undefined once the workload has unloaded the entry. */
function loadedBy({ publishedKey }: DepartingPayer, reader: Watched, watchedMs: number): string | undefined {
  const { workload, mount, stale, lingering } = reader;
  const [key] = lingering ?? [];
  if (key !== undefined) return `${workload} to unload ${key}, normally within 2 minutes`;
  // An entry that others wrote is theirs to roll out: only the keys that the workload reports count.
  if (publishedKey === null) return undefined;
  if (stale.length > 0) return `${workload} to replace ${stale.join(', ')}, which read the file before`;
  if (!reader.wantsPods) return undefined;
  // A later pod never reads the entry. Its status is worth a short wait, not a failure.
  if (!reader.isReady) return watchedMs < closelyMs ? `${workload} to be ready, normally within 5 minutes` : undefined;
  const isRefreshed = lingering !== undefined || mount === 'subPath' || watchedMs >= takenUpSeconds * 1000;
  return isRefreshed ? undefined : `the file that ${workload} mounts to be refreshed, within ${takenUpSeconds} s`;
}

/** The roles that the entry uses are removed only after Kubecost has unloaded it: otherwise Kubecost logs its failures for ever. */
export const unloadProof = defineStep<'unload-proof', DepartingPayer, Observation>({
  name: 'unload-proof',
  summary: 'Watches the workload until it no longer has the entry.',
  proof: true,
  permissions: {
    kubernetes: [rules.secret, rules.workloads, rules.workload, rules.services, rules.pods, rules.statusProxy],
  },
  waits: { 'entry-still-loaded': watchWaits },

  input: ({ run }) => departingPayerOf(run),

  async observe(cx, { target, payerAccountId, publishedKey, clusterExists }): Promise<Observation> {
    // remove-entry has warned about it.
    if (!clusterExists || !(await mayReadSecret(cx, target))) return unseen;
    const { namespace, secretName } = target;
    const kubernetes = cx.kubernetes;
    const [secret, readers] = await Promise.all([
      readSecret(kubernetes, namespace, secretName),
      listSecretReaders(kubernetes, target),
    ]);
    const present = payerKeys(secret, payerAccountId);
    const watched = readers.map(async ({ workload, mount, object, pods, statusService }): Promise<Watched> => {
      const loaded = pods.some(isReady) ? await loadedKeys(kubernetes, { namespace, statusService }) : undefined;
      return {
        workload,
        mount,
        stale: secret ? holdersOfOldFile(mount, pods, secret).map(({ metadata }) => metadata.name) : [],
        wantsPods: object.spec.replicas !== 0,
        isReady: pods.some(isReady),
        lingering: loaded?.filter((key) => key.startsWith(`${payerAccountId}/`) && !present.includes(key)),
      };
    });
    return {
      isHidden: false,
      isBack: publishedKey !== null && present.includes(publishedKey),
      readers: await Promise.all(watched),
    };
  },

  plan(departing, { isHidden, isBack, readers }, { now, since }): Plan<never, Outputs['unload-proof']> {
    const { target, publishedKey } = departing;
    if (isHidden) return { kind: 'ready', output: { verdict: 'not-seen' } };
    if (isBack)
      return {
        kind: 'refuse',
        code: 'entry-still-there',
        detail: `somebody has put the entry ${publishedKey ?? ''} back into ${target.namespace}/${target.secretName}`,
      };
    const output = { verdict: readers.length > 0 ? 'gone' : 'not-installed' } as const;
    const [reason] = readers.flatMap((reader) => loadedBy(departing, reader, now - since) ?? []);
    if (reason === undefined) return { kind: 'ready', output };
    const wait = watchWait(reason, now - since, 'entry-still-loaded');
    return wait ? waitFor(wait, output) : { kind: 'refuse', code: 'entry-still-loaded', detail: watchedInVain(reason) };
  },
});

export const handler = stepHandler(unloadProof);
