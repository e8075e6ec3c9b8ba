import { findAccessEntry } from '../cluster/access-entry.ts';
import { lacks } from '../cluster/access-review.ts';
import { type CostReader, costReaders } from '../kubecost/cost-readers.ts';
import { readNamespaceWorkloads } from '../kubecost/read-namespace-workloads.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { listPods, type Pod } from '../kubernetes/pods.ts';
import { outputOf, type RunRecord } from '../model/run.ts';
import type { Target } from '../model/target.ts';
import type { StepContext } from '../step/contract.ts';
import type { Restartable } from './workload-restart.ts';

/** Path of a workload. @param workload `deployment/<name>` or `statefulset/<name>` */
function workloadPath(namespace: string, workload: string): string {
  const [kind = '', name = ''] = workload.split('/');
  return `/apis/apps/v1/namespaces/${namespace}/${kind}s/${name}`;
}

/** The workload that `discovery` found to mount the target's secret. */
export interface DiscoveredReader {
  workload: string;
  /** Path of the workload. */
  path: string;
  container: string;
  podSelector: string;
  mount: NonNullable<CostReader['mount']>;
  statusService: string | null;
}

/** Undefined if nothing is installed, or if what is installed does not mount the secret. */
export function discoveredReader(run: RunRecord): DiscoveredReader | undefined {
  const { workload, container, podSelector, mount, statusService } = outputOf(run, 'discovery');
  if (workload === null || container === null || podSelector === null || mount === null) return undefined;
  const path = workloadPath(run.request.kubecost.namespace, workload);
  return { workload, path, container, podSelector, mount, statusService };
}

/** A workload that mounts a target's secret, as it is now. */
export interface SecretReader extends Pick<CostReader, 'workload' | 'statusService'> {
  mount: NonNullable<CostReader['mount']>;
  /** Path of the workload. */
  path: string;
  object: Restartable;
  pods: Pod[];
}

/** False once an offboarding or the cluster's owner has removed our rights. */
export async function mayReadSecret(
  cx: StepContext<'offboarding'>,
  { namespace, secretName }: Target,
): Promise<boolean> {
  if (!(await findAccessEntry(cx))) return false;
  const right = { group: '', resource: 'secrets', verb: 'get', name: secretName };
  return !(await lacks(cx.kubernetes, namespace, right));
}

export async function listSecretReaders(
  kubernetes: KubernetesClient,
  { namespace, secretName }: Target,
): Promise<SecretReader[]> {
  const installed = await readNamespaceWorkloads(kubernetes, namespace);
  const readers = costReaders(installed, secretName).map(async ({ workload, mount, podSelector, statusService }) => {
    const [kind = '', name = ''] = workload.split('/');
    const found = installed.workloads.find((one) => one.kind === kind && one.object.metadata.name === name);
    if (!found || mount === null) return [];
    const path = workloadPath(namespace, workload);
    const pods = podSelector === null ? [] : await listPods(kubernetes, namespace, podSelector);
    return [{ workload, mount, statusService, path, object: found.object, pods }];
  });
  return (await Promise.all(readers)).flat();
}
