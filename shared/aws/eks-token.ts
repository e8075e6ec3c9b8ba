import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity } from '@smithy/types';
import { TerminalError } from '../errors/errors.ts';
import { now } from '../platform/clock.ts';
import { Sha256 } from '../platform/sha256.ts';

/** The authenticator in the cluster refuses longer tokens (aws-iam-authenticator, maxTokenLenBytes). */
const maxTokenBytes = 4096;

/**
 * Bearer token for an EKS cluster: a presigned STS GetCallerIdentity that carries the cluster's name, signed, in a header. Valid for 15
 * minutes after its date, regardless of its `X-Amz-Expires`.
 */
export async function eksToken(
  cluster: { name: string; region: string },
  credentials: AwsCredentialIdentity,
): Promise<string> {
  const hostname = `sts.${cluster.region}.amazonaws.com`;
  const signer = new SignatureV4({ service: 'sts', region: cluster.region, credentials, sha256: Sha256 });
  const signed = await signer.presign(
    new HttpRequest({
      method: 'GET',
      protocol: 'https:',
      hostname,
      path: '/',
      query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
      headers: { host: hostname, 'x-k8s-aws-id': cluster.name },
    }),
    { expiresIn: 60, signingDate: new Date(now()) },
  );
  const query = Object.entries(signed.query ?? {}).map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`);
  const token = `k8s-aws-v1.${Buffer.from(`https://${hostname}/?${query.join('&')}`).toString('base64url')}`;
  if (token.length > maxTokenBytes)
    throw new TerminalError('unexpected', `the cluster token has ${token.length} bytes; ${maxTokenBytes} are allowed`);
  return token;
}
