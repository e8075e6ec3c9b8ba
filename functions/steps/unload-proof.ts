import { rules } from '../../shared/cluster/provisioner-role.ts';
import { findPayer } from '../../shared/integration-file/merge.ts';
import { loadedKeys } from '../../shared/kubecost/connection-check.ts';
import { takenUpSeconds } from '../../shared/kubecost/connection-status.ts';
import { isReady } from '../../shared/kubernetes/pods.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { type Leaver, leaverOf } from '../../shared/offboarding/departing-payer.ts';
import { fileOf, readSecret, type Secret } from '../../shared/publication/integration-secret.ts';
import { listSecretReaders, mayReadSecret, type SecretReader } from '../../shared/publication/secret-readers.ts';
import { holdersOfOldFile } from '../../shared/publication/workload-restart.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

interface Observation {
  /** There is no cluster any more, or it does not let us look. */
  isHidden: boolean;
  /** The file holds the entry again. */
  isBack: boolean;
  readers: Watched[];
}

interface Watched extends Pick<SecretReader, 'workload' | 'mount'> {
  /** Names of the pods that will never see the file as it is. */
  stale: string[];
  /** Whether it is to have pods, and whether one of them is ready. */
  wantsPods: boolean;
  isReady: boolean;
  /** Keys of the payer that the consumer has from the file, though they are not in it; undefined where it cannot be asked. */
  lingering: string[] | undefined;
}

/** Far longer than a rollout takes; then a person has to look. */
const watchMs = 30 * 60_000;
/** Most have let go of it within minutes. */
const closelyMs = 5 * 60_000;
const [closeSeconds, calmSeconds] = [15, 60];

const notLooked: Observation = { isHidden: true, isBack: false, readers: [] };

function keysIn(secret: Secret | undefined, payerAccountId: string): string[] {
  const file = fileOf(secret);
  return file?.kind === 'decoded' ? findPayer(file.text, payerAccountId).map(({ key }) => key) : [];
}

/** What keeps the run from going on, for this workload; undefined if it has let go of the entry. */
function loadedBy({ publishedKey }: Leaver, reader: Watched, watchedMs: number): string | undefined {
  const { workload, mount, stale, lingering } = reader;
  const [key] = lingering ?? [];
  if (key !== undefined) return `${workload} to unload ${key}, normally within 2 minutes`;
  // What others had put into the file is theirs to roll out: of that only the consumer's word counts.
  if (publishedKey === null) return undefined;
  if (stale.length > 0) return `${workload} to replace ${stale.join(', ')}, which read the file before`;
  if (!reader.wantsPods) return undefined;
  // No pod that comes up later has ever read the entry: its word is worth a while, not a failure.
  if (!reader.isReady) return watchedMs < closelyMs ? `${workload} to be ready, normally within 5 minutes` : undefined;
  const isRefreshed = lingering !== undefined || mount === 'subPath' || watchedMs >= takenUpSeconds * 1000;
  return isRefreshed ? undefined : `the file that ${workload} mounts to be refreshed, within ${takenUpSeconds} s`;
}

/** Nothing that the entry works through goes before the consumer has let go of it: else it would log failures of it for ever. */
export const unloadProof = defineStep<'unload-proof', Leaver, Observation>({
  name: 'unload-proof',
  summary: 'Watches the workload until it no longer has the entry.',
  proof: true,
  permissions: {
    kubernetes: [rules.secret, rules.workloads, rules.workload, rules.services, rules.pods, rules.statusProxy],
  },

  input: ({ run }) => leaverOf(run),

  async observe(cx, { target, payerAccountId, publishedKey, clusterExists }): Promise<Observation> {
    // The step before has told what that means.
    if (!clusterExists || !(await mayReadSecret(cx, target))) return notLooked;
    const { namespace, secretName } = target;
    const kubernetes = cx.kubernetes;
    const [secret, readers] = await Promise.all([
      readSecret(kubernetes, namespace, secretName),
      listSecretReaders(kubernetes, target),
    ]);
    const present = keysIn(secret, payerAccountId);
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

  plan(leaver, { isHidden, isBack, readers }, { now, since }): Plan<never, Outputs['unload-proof']> {
    const { target, publishedKey } = leaver;
    if (isHidden) return { kind: 'ready', output: { verdict: 'not-seen' } };
    if (isBack)
      return {
        kind: 'refuse',
        code: 'entry-still-there',
        detail: `somebody has put the entry ${publishedKey ?? ''} back into ${target.namespace}/${target.secretName}`,
      };
    const output = { verdict: readers.length > 0 ? 'gone' : 'not-installed' } as const;
    const [reason] = readers.flatMap((reader) => loadedBy(leaver, reader, now - since) ?? []);
    if (reason === undefined) return { kind: 'ready', output };
    if (now - since >= watchMs)
      return { kind: 'refuse', code: 'entry-still-loaded', detail: `after 30 minutes still waiting for ${reason}` };
    return waitFor(
      {
        reason,
        seconds: now - since < closelyMs ? closeSeconds : calmSeconds,
        // A backstop: the watch ends first.
        deadlineSeconds: (2 * watchMs) / 1000,
        overdue: 'entry-still-loaded',
      },
      output,
    );
  },
});

export const handler = stepHandler(unloadProof);
