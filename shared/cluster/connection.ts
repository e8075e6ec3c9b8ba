import { eksToken } from '../aws/eks-token.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { isAwsError, TerminalError } from '../errors/errors.ts';
import { KubernetesClient } from '../kubernetes/client.ts';
import { outputOf, type RunRecord } from '../model/run.ts';
import type { RunKind } from '../model/step-names.ts';
import type { StepContext } from '../step/contract.ts';

/**
 * A client for the run's cluster, as the cluster account's provisioner role. It makes one token and keeps its connections.
 * @throws MissingOutput while the run has not found the cluster's endpoint
 */
export function connectKubernetes(run: RunRecord<RunKind>, account: TargetAccount): KubernetesClient {
  const { endpoint, certificateAuthority } = apiServerOf(run);
  let token: Promise<string> | undefined;
  return new KubernetesClient(
    endpoint,
    certificateAuthority,
    () => (token ??= account.credentials().then((credentials) => eksToken(run.request.cluster, credentials))),
  );
}

function apiServerOf(run: RunRecord<RunKind>): { endpoint: string; certificateAuthority: string } {
  if (run.kind === 'onboarding') return outputOf(run, 'preflight');
  const { cluster } = outputOf(run, 'inventory');
  // A step of an offboarding checks first whether the cluster still exists.
  if (!cluster) throw new TerminalError('unexpected', `run ${run.runId} calls a cluster that no longer exists`);
  return cluster;
}

/** A dry run may read from a cluster where the right to read was itself only planned: then `hidden`. */
export async function unlessHidden<T>(cx: StepContext<RunKind>, read: () => Promise<T>): Promise<T | 'hidden'> {
  try {
    return await read();
  } catch (error) {
    if (cx.run.request.dryRun && isAwsError(error, 'Unauthorized', 'Forbidden')) return 'hidden';
    throw error;
  }
}
