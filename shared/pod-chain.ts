import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity } from '@smithy/types';
import { newClient } from './aws/clients.ts';
import { toIdentity } from './aws/target-account.ts';
import { isAwsError, TerminalError } from './errors.ts';
import { connectKubernetes } from './kubernetes.ts';
import { outputOf, podRoleOf } from './run.ts';
import type { StepContext } from './step.ts';

export type PodChain =
  { credentials: AwsCredentialIdentity } | { refused: 'web-identity-denied' | 'payer-role-denied'; detail: string };

/** The least that a TokenRequest gives. */
const tokenSeconds = 600;
const audience = 'sts.amazonaws.com';

/**
 * Walks the way of an IRSA pod: a token of its service account, the pod role, the payer role (without external id, as
 * Kubecost assumes it). The token and both sessions live in memory only.
 */
export async function walkPodChain(cx: StepContext): Promise<PodChain> {
  const { cluster } = cx.run.request;
  const { podRoleArn } = podRoleOf(cx.run);
  const { payerRoleArn } = outputOf(cx.run, 'payer-role');
  const RoleSessionName = cx.run.runId;

  const token = await serviceAccountToken(cx);
  const podSession = await unlessDenied(() =>
    newClient(STSClient, cluster.region).send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: podRoleArn,
        RoleSessionName,
        WebIdentityToken: token,
        DurationSeconds: 900,
      }),
    ),
  );
  if ('denied' in podSession)
    return {
      refused: 'web-identity-denied',
      detail: `${podRoleArn} with a service account token: ${podSession.denied}`,
    };

  const pod = toIdentity(podSession.Credentials);
  const asPod = newClient(STSClient, cluster.region, () => Promise.resolve(pod));
  const payerSession = await unlessDenied(() =>
    asPod.send(new AssumeRoleCommand({ RoleArn: payerRoleArn, RoleSessionName, DurationSeconds: 900 })),
  );
  if ('denied' in payerSession)
    return { refused: 'payer-role-denied', detail: `${payerRoleArn} as ${podRoleArn}: ${payerSession.denied}` };

  return { credentials: toIdentity(payerSession.Credentials) };
}

/** Whom STS sees at the chain's end. @throws TerminalError if that is not in the payer account */
export async function identityAtEnd(cx: StepContext, credentials: AwsCredentialIdentity): Promise<string> {
  const { cluster, payerAccountId } = cx.run.request;
  const asPayer = newClient(STSClient, cluster.region, () => Promise.resolve(credentials));
  const { Account, Arn } = await asPayer.send(new GetCallerIdentityCommand({}));
  if (Account !== payerAccountId || !Arn)
    throw new TerminalError('unexpected', `the pod chain ends in account ${Account ?? 'none'}, not ${payerAccountId}`);
  return Arn;
}

async function serviceAccountToken(cx: StepContext): Promise<string> {
  const { serviceAccount } = podRoleOf(cx.run);
  const { namespace } = cx.run.request.kubecost;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const answer = await connectKubernetes(cx).create<{ status?: { token?: string } }>(path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [audience], expirationSeconds: tokenSeconds },
  });
  const token = answer.status?.token;
  if (!token) throw new TerminalError('unexpected', `${path} answered without a token`);
  return token;
}

/** InvalidIdentityToken: the account has no such OIDC provider, or none that STS knows of yet. */
async function unlessDenied<T extends object>(assume: () => Promise<T>): Promise<T | { denied: string }> {
  try {
    return await assume();
  } catch (error) {
    if (
      isAwsError(
        error,
        'AccessDenied',
        'AccessDeniedException',
        'InvalidIdentityToken',
        'InvalidIdentityTokenException',
      )
    )
      return { denied: error.message };
    throw error;
  }
}
