import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity } from '@smithy/types';
import * as z from 'zod';
import { now } from '../platform/clock.ts';
import { Sha256 } from '../platform/sha256.ts';
import { httpHandler } from './clients.ts';
import { toIdentity } from './target-account.ts';

/** An error of EKS Auth under AWS's name for it. */
class EksAuthError extends Error {
  readonly $metadata: { httpStatusCode: number };

  constructor(name: string, message: string, httpStatusCode: number) {
    super(message);
    this.name = name;
    this.$metadata = { httpStatusCode };
  }
}

/** The fields we read of AssumeRoleForPodIdentity's answer; `expiration` in seconds since the epoch. */
const Answer = z.object({
  credentials: z
    .object({ accessKeyId: z.string(), secretAccessKey: z.string(), sessionToken: z.string(), expiration: z.number() })
    .optional(),
  message: z.string().optional(),
});
type Answer = z.infer<typeof Answer>;

/**
 * EKS Auth's AssumeRoleForPodIdentity: what the Pod Identity agent of a node calls for a pod (EKS API reference, "Amazon EKS Auth").
 * @param token of the pod's service account, bound to the pod, for the audience `pods.eks.amazonaws.com`
 * @throws an Error under AWS's name: AccessDeniedException, InvalidTokenException, ResourceNotFoundException, ThrottlingException, ...; under `Unreachable`
 *   where no network leads there
 */
export async function assumeRoleForPodIdentity(
  { name, region }: { name: string; region: string },
  token: string,
  credentials: AwsCredentialIdentity,
): Promise<AwsCredentialIdentity> {
  const endpoint = endpointOf(region);
  const signer = new SignatureV4({ service: 'eks-auth', region, credentials, sha256: Sha256 });
  const request = await signer.sign(
    new HttpRequest({
      method: 'POST',
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      ...(endpoint.port && { port: Number(endpoint.port) }),
      path: `/clusters/${name}/assume-role-for-pod-identity`,
      headers: { host: endpoint.host, 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    }),
    { signingDate: new Date(now()) },
  );
  const { response } = await httpHandler.handle(new HttpRequest(request)).catch(unlessUnreachable);
  const answer = await readAnswer(response.body);
  if (response.statusCode >= 300) {
    const [type = ''] = (response.headers['x-amzn-errortype'] ?? '').split(':');
    throw new EksAuthError(type || `Http${response.statusCode}`, answer.message ?? '', response.statusCode);
  }
  const { accessKeyId, secretAccessKey, sessionToken, expiration = 0 } = answer.credentials ?? {};
  return toIdentity({
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: new Date(expiration * 1000),
  });
}

/** The hub's network does not reach the service, and this does not change within a minute. */
function unlessUnreachable(error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND'].includes(code)) throw error;
  throw new EksAuthError('Unreachable', `EKS Auth cannot be reached: ${code}`, 0);
}

/** Finds the endpoint as the SDK's clients do, because our dependencies have no client for this service. */
function endpointOf(region: string): URL {
  const { AWS_ENDPOINT_URL_EKS_AUTH, AWS_ENDPOINT_URL } = process.env;
  return new URL(AWS_ENDPOINT_URL_EKS_AUTH ?? AWS_ENDPOINT_URL ?? `https://eks-auth.${region}.api.aws`);
}

/** A proxy between us and the service may answer with text that is not JSON. */
async function readAnswer(body: unknown): Promise<Answer> {
  if (!(body instanceof Readable)) return {};
  const received = await text(body);
  try {
    return Answer.parse(JSON.parse(received));
  } catch {
    return {};
  }
}
