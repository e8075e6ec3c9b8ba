import { eksToken } from '../aws/eks-token.ts';
import { isAwsError, TerminalError } from '../errors/errors.ts';
import { KubernetesClient } from '../kubernetes/client.ts';
import { outputOf } from '../model/run.ts';
import type { RunKind } from '../model/step-names.ts';
import type { StepContext } from '../step/contract.ts';

const clients = new WeakMap<StepContext<RunKind>, KubernetesClient>();

/** The cluster of the run, entered as the cluster account's provisioner role; one token and one connection pool per invocation. */
export function connectKubernetes(cx: StepContext<RunKind>): KubernetesClient {
  const known = clients.get(cx);
  if (known) return known;
  const { endpoint, certificateAuthority } = apiServerOf(cx.run);
  let token: Promise<string> | undefined;
  const client = new KubernetesClient(
    endpoint,
    certificateAuthority,
    () => (token ??= cx.cluster.credentials().then((credentials) => eksToken(cx.run.request.cluster, credentials))),
  );
  clients.set(cx, client);
  return client;
}

/** A step of an offboarding asks first whether the cluster is still there. */
function apiServerOf(run: StepContext<RunKind>['run']): { endpoint: string; certificateAuthority: string } {
  if (run.kind === 'onboarding') return outputOf(run, 'preflight');
  const { cluster } = outputOf(run, 'inventory');
  if (!cluster) throw new TerminalError('unexpected', `run ${run.runId} asks a cluster that is gone`);
  return cluster;
}

/** A dry run may look at a cluster where the right to look was itself only planned: then `hidden`. */
export async function unlessHidden<T>(cx: StepContext<RunKind>, read: () => Promise<T>): Promise<T | 'hidden'> {
  try {
    return await read();
  } catch (error) {
    if (cx.run.request.dryRun && isAwsError(error, 'Unauthorized', 'Forbidden')) return 'hidden';
    throw error;
  }
}
