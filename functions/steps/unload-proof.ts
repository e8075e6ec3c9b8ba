import { findPayer } from '../../shared/cloud-integration.ts';
import { rules } from '../../shared/cluster-role.ts';
import { takenUpSeconds } from '../../shared/connection-status.ts';
import { isLoaded } from '../../shared/consumer.ts';
import { fileOf, readSecret, type Secret } from '../../shared/integration-secret.ts';
import { connectKubernetes } from '../../shared/kubernetes.ts';
import type { Outputs } from '../../shared/outputs.ts';
import { isReady } from '../../shared/pods.ts';
import { holdersOfOldFile } from '../../shared/restart.ts';
import { outputOf, targetOf, type Target } from '../../shared/run.ts';
import { mayReadSecret, listSecretReaders, type SecretReader } from '../../shared/secret-readers.ts';
import { defineStep, type Plan } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';

interface Input {
  target: Target;
  payerAccountId: string;
  publishedKey: string | null;
  clusterExists: boolean;
}

interface Seen {
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
  /** By the consumer's own word; undefined where it cannot be asked. */
  isLoaded: boolean | undefined;
}

/** Far longer than a rollout takes; then a person has to look. */
const watchMs = 30 * 60_000;
/** Most have let go of it within minutes. */
const closelyMs = 5 * 60_000;
const [closeSeconds, calmSeconds] = [15, 60];

const notLooked: Seen = { isBack: false, readers: [] };

function holds(secret: Secret | undefined, { payerAccountId, publishedKey }: Input): boolean {
  const file = fileOf(secret);
  return file?.kind === 'decoded' && findPayer(file.text, payerAccountId).some(({ key }) => key === publishedKey);
}

/** What keeps the run from going on, for this workload; undefined if it has let go of the entry. */
function loadedBy({ workload, mount, stale, ...seen }: Watched, watchedMs: number): string | undefined {
  if (stale.length > 0) return `${workload} to replace ${stale.join(', ')}, which read the file before`;
  if (!seen.wantsPods) return undefined;
  // No pod that comes up later has ever read the entry: its word is worth a while, not a failure.
  if (!seen.isReady) return watchedMs < closelyMs ? `${workload} to be ready, normally within 5 minutes` : undefined;
  if (seen.isLoaded) return `${workload} to let go of the entry, normally within 2 minutes`;
  const isRefreshed = seen.isLoaded === false || mount === 'subPath' || watchedMs >= takenUpSeconds * 1000;
  return isRefreshed ? undefined : `the file that ${workload} mounts to be refreshed, within ${takenUpSeconds} s`;
}

/** Nothing that the entry works through goes before the consumer has let go of it: else it would log failures of it for ever. */
export const unloadProof = defineStep<'unload-proof', Input, Seen, never>({
  name: 'unload-proof',
  summary: 'Watches the workload until it no longer has the entry.',
  proof: true,
  permissions: {
    kubernetes: [rules.secret, rules.workloads, rules.workload, rules.services, rules.pods, rules.statusProxy],
  },

  input({ run }): Input {
    const { cluster, publishedKey } = outputOf(run, 'inventory');
    const { payerAccountId } = run.request;
    return { target: targetOf(run.request), payerAccountId, publishedKey, clusterExists: cluster !== null };
  },

  async observe(cx, input): Promise<Seen> {
    const { target, clusterExists, publishedKey } = input;
    // Where our rights are gone, the step before has told what that means.
    if (!clusterExists || publishedKey === null || !(await mayReadSecret(cx, target))) return notLooked;
    const kubernetes = connectKubernetes(cx);
    const [secret, readers] = await Promise.all([
      readSecret(kubernetes, target.namespace, target.secretName),
      listSecretReaders(kubernetes, target),
    ]);
    const watched = readers.map(async ({ workload, mount, object, pods, statusService }): Promise<Watched> => {
      const question = { namespace: target.namespace, statusService, key: publishedKey };
      const hasReadyPod = pods.some(isReady);
      return {
        workload,
        mount,
        stale: secret ? holdersOfOldFile(mount, pods, secret).map(({ metadata }) => metadata.name) : [],
        wantsPods: object.spec.replicas !== 0,
        isReady: hasReadyPod,
        isLoaded: hasReadyPod ? await isLoaded(kubernetes, question) : undefined,
      };
    });
    return { isBack: holds(secret, input), readers: await Promise.all(watched) };
  },

  plan({ target, publishedKey }, { isBack, readers }, { now, since }): Plan<never, Outputs['unload-proof']> {
    if (isBack)
      return {
        kind: 'refuse',
        code: 'entry-still-there',
        detail: `somebody has put the entry ${publishedKey ?? ''} back into ${target.namespace}/${target.secretName}`,
      };
    const output = { verdict: readers.length > 0 ? 'gone' : 'not-installed' } as const;
    const [reason] = readers.flatMap((reader) => loadedBy(reader, now - since) ?? []);
    if (reason === undefined) return { kind: 'ready', output };
    if (now - since >= watchMs)
      return { kind: 'refuse', code: 'entry-still-loaded', detail: `after 30 minutes still waiting for ${reason}` };
    return {
      kind: 'wait',
      reason,
      seconds: now - since < closelyMs ? closeSeconds : calmSeconds,
      // Only a net: the watch ends first.
      deadlineSeconds: (2 * watchMs) / 1000,
      overdue: 'entry-still-loaded',
      expected: output,
    };
  },

  apply: () => Promise.resolve(),
});

export const handler = stepHandler(unloadProof);
