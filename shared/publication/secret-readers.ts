import { findAccessEntry } from '../cluster/access-entry.ts';
import { lacks } from '../cluster/access-review.ts';
import { type CostReader, costReaders } from '../kubecost/installation.ts';
import { readNamespaceWorkloads } from '../kubecost/read-installation.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { listPods, type Pod } from '../kubernetes/pods.ts';
import type { Target } from '../model/target.ts';
import type { StepContext } from '../step/contract.ts';
import type { Restartable } from './workload-restart.ts';

/** A workload that mounts a target's secret. */
export interface SecretReader extends Pick<CostReader, 'workload' | 'statusService'> {
  mount: NonNullable<CostReader['mount']>;
  /** Path of the workload. */
  path: string;
  object: Restartable;
  pods: Pod[];
}

/** False where an offboarding has already taken our rights away, or its cluster's owner has. */
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
  const landscape = await readNamespaceWorkloads(kubernetes, namespace);
  const readers = costReaders(landscape, secretName).map(async ({ workload, mount, podSelector, statusService }) => {
    const [kind = '', name = ''] = workload.split('/');
    const found = landscape.workloads.find((one) => one.kind === kind && one.object.metadata.name === name);
    if (!found || mount === null) return [];
    const path = `/apis/apps/v1/namespaces/${namespace}/${kind}s/${name}`;
    const pods = podSelector === null ? [] : await listPods(kubernetes, namespace, podSelector);
    return [{ workload, mount, statusService, path, object: found.object, pods }];
  });
  return (await Promise.all(readers)).flat();
}
