import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity } from '@smithy/types';
import { newClient } from '../aws/clients.ts';
import { assumeRoleForPodIdentity } from '../aws/eks-auth.ts';
import { clusterPattern } from '../aws/names.ts';
import { toIdentity } from '../aws/target-account.ts';
import { isAwsError, TerminalError } from '../errors/errors.ts';
import { listPods, type Pod } from '../kubernetes/pods.ts';
import { outputOf, podRoleOf } from '../model/run.ts';
import type { Permission, StepContext } from '../step/contract.ts';

type Denial = 'web-identity-denied' | 'payer-role-denied' | 'tag-session-missing';

/** `closed`: why we cannot assume the roles outside a pod, although the pod may be able to. */
export type PodChain =
  { credentials: AwsCredentialIdentity } | { refused: Denial; detail: string } | { closed: string };

/** For the first hop of EKS Pod Identity; IRSA's needs no permission. */
export const podChainPermission: Permission = {
  actions: ['eks-auth:AssumeRoleForPodIdentity'],
  resources: [clusterPattern],
};

/** The shortest lifetime that a TokenRequest accepts. */
const tokenSeconds = 600;

/**
 * Errors of EKS Auth that say nothing about the pod's role: it refuses us, the pod has just ended, or the hub's network does not reach it.
 */
const unavailableCodes = [
  'AccessDeniedException',
  'InvalidParameterException',
  'InvalidRequestException',
  'InvalidTokenException',
  'ResourceNotFoundException',
  'NotFound',
  'Conflict',
  'TimeoutError',
  'Unreachable',
];

/** Assumes the roles that the pod assumes, without an external id as Kubecost does. Token and sessions stay in memory. */
export async function walkPodChain(cx: StepContext): Promise<PodChain> {
  const { podRoleArn } = podRoleOf(cx.run);
  const { payerRoleArn } = outputOf(cx.run, 'payer-role');
  const first = cx.run.request.identity.mode === 'irsa' ? await byWebIdentity(cx) : await byPodIdentity(cx);
  if (!('credentials' in first)) return first;

  const asPod = newClient(STSClient, cx.run.request.cluster.region, () => Promise.resolve(first.credentials));
  const payerSession = await unlessDenied(['AccessDenied', 'AccessDeniedException'], () =>
    asPod.send(new AssumeRoleCommand({ RoleArn: payerRoleArn, RoleSessionName: cx.run.runId, DurationSeconds: 900 })),
  );
  if ('denied' in payerSession)
    return {
      refused: payerSession.denied.includes('sts:TagSession') ? 'tag-session-missing' : 'payer-role-denied',
      detail: `${payerRoleArn} as ${podRoleArn}: ${payerSession.denied}`,
    };
  return { credentials: toIdentity(payerSession.Credentials) };
}

/** The identity that STS sees at the chain's end. @throws TerminalError if that is not in the payer account */
export async function identityAtEnd(cx: StepContext, credentials: AwsCredentialIdentity): Promise<string> {
  const { cluster, payerAccountId } = cx.run.request;
  const asPayer = newClient(STSClient, cluster.region, () => Promise.resolve(credentials));
  const { Account, Arn } = await asPayer.send(new GetCallerIdentityCommand({}));
  if (Account !== payerAccountId || !Arn)
    throw new TerminalError('unexpected', `the pod chain ends in account ${Account ?? 'none'}, not ${payerAccountId}`);
  return Arn;
}

/** IRSA accepts any token of the service account. */
async function byWebIdentity(cx: StepContext): Promise<PodChain> {
  const { podRoleArn } = podRoleOf(cx.run);
  const token = await serviceAccountToken(cx, 'sts.amazonaws.com');
  // InvalidIdentityToken: the account has no such OIDC provider, or STS does not see it yet.
  const denials = ['AccessDenied', 'AccessDeniedException', 'InvalidIdentityToken', 'InvalidIdentityTokenException'];
  const session = await unlessDenied(denials, () =>
    newClient(STSClient, cx.run.request.cluster.region).send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: podRoleArn,
        RoleSessionName: cx.run.runId,
        WebIdentityToken: token,
        DurationSeconds: 900,
      }),
    ),
  );
  if ('denied' in session)
    return {
      refused: 'web-identity-denied',
      detail: `${podRoleArn} with a service account token: ${session.denied}`,
    };
  return { credentials: toIdentity(session.Credentials) };
}

/**
 * EKS Pod Identity needs a token that is bound to a running pod, as the agent of the pod's node sends it. The service is meant for that
 * agent only (EKS API reference), so a refusal says nothing about the pod.
 */
async function byPodIdentity(cx: StepContext): Promise<PodChain> {
  const pod = await runningPod(cx);
  if (!pod) return { closed: 'no pod of the service account runs' };
  const session = await unlessDenied(unavailableCodes, async () => {
    const token = await serviceAccountToken(cx, 'pods.eks.amazonaws.com', pod);
    return {
      credentials: await assumeRoleForPodIdentity(cx.run.request.cluster, token, await cx.cluster.credentials()),
    };
  });
  return 'denied' in session ? { closed: session.denied } : session;
}

async function runningPod(cx: StepContext): Promise<Pod | undefined> {
  const { podSelector } = outputOf(cx.run, 'discovery');
  if (podSelector === null) return undefined;
  const { serviceAccount } = podRoleOf(cx.run);
  const pods = await listPods(cx.kubernetes, cx.run.request.kubecost.namespace, podSelector);
  return pods.find(
    ({ metadata, spec, status }) =>
      spec.serviceAccountName === serviceAccount && status?.phase === 'Running' && !('deletionTimestamp' in metadata),
  );
}

/** @param pod to bind the token to; default: bound to no object */
async function serviceAccountToken(cx: StepContext, audience: string, pod?: Pod): Promise<string> {
  const { serviceAccount } = podRoleOf(cx.run);
  const { namespace } = cx.run.request.kubecost;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const boundObjectRef = pod && { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid };
  const answer = await cx.kubernetes.create<{ status?: { token?: string } }>(path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [audience], expirationSeconds: tokenSeconds, ...(boundObjectRef && { boundObjectRef }) },
  });
  const token = answer.status?.token;
  if (!token) throw new TerminalError('unexpected', `${path} answered without a token`);
  return token;
}

async function unlessDenied<T extends object>(
  denials: readonly string[],
  assume: () => Promise<T>,
): Promise<T | { denied: string }> {
  try {
    return await assume();
  } catch (error) {
    if (isAwsError(error, ...denials)) return { denied: error.message };
    throw error;
  }
}
