import { type KeyObject, verify } from 'node:crypto';
import type * as sdk from '@aws-sdk/client-sts';
import { listOf } from '../../policy-evaluation.ts';
import { AwsError, type CallContext, operation } from '../../service.ts';
import type { OidcProvider } from '../iam/state.ts';
import { trusted } from '../iam/trust.ts';
import { checkDuration, checkSessionRequest, packedSize, sessionAnswer, sessionPolicyOf } from './session-request.ts';

interface Claims {
  iss?: string;
  sub?: string;
  aud?: string | string[];
  /** Seconds since the epoch. */
  exp?: number;
}

interface Token {
  claims: Claims;
  algorithm: string;
  signed: Buffer;
  signature: Buffer;
}

/** The call by which a pod with an annotated service account gets its role. The token replaces a signature. */
export const assumeRoleWithWebIdentity = operation<sdk.AssumeRoleWithWebIdentityCommandInput, object>({
  writes: false,
  permissions: () => [],
  run(input, cx) {
    checkSessionRequest(input);
    const { RoleArn = '', RoleSessionName = '', WebIdentityToken = '', DurationSeconds } = input;
    const { iam, sts } = cx.world;
    const { claims, ...token } = readToken(WebIdentityToken);
    const provider = findProvider(claims, RoleArn, cx);
    const audience = listOf(claims.aud).find((one) => provider.clientIds.includes(one));
    if (audience === undefined) throw invalidToken('Incorrect token audience');
    checkSignature(token, sts.issuerKey(`https://${provider.url}`));
    checkExpiry(claims, cx.now);

    const role = iam.effectiveRoleByArn(RoleArn);
    const trust = role && iam.effectiveTrust(role);
    const action = 'sts:AssumeRoleWithWebIdentity';
    const subject = claims.sub ?? '';
    const context = {
      [`${provider.url}:sub`]: subject,
      [`${provider.url}:aud`]: audience,
      'sts:RoleSessionName': RoleSessionName,
    };
    const question = { action, resource: RoleArn, context };
    if (!trust || trusted(trust, { federated: provider.arn }, question) !== 'named')
      throw new AwsError('AccessDenied', `Not authorized to perform ${action}`, 403);
    checkDuration(role, undefined, DurationSeconds);
    const sessionPolicy = sessionPolicyOf(input, iam);
    packedSize(sessionPolicy, {});
    const session = sts.open(role, {
      sessionName: RoleSessionName,
      ...(sessionPolicy !== undefined && { sessionPolicy }),
      ...(DurationSeconds !== undefined && { durationSeconds: DurationSeconds }),
    });
    return {
      ...sessionAnswer(session, role, RoleSessionName),
      SubjectFromWebIdentityToken: subject,
      Provider: provider.arn,
      Audience: audience,
    };
  },
});

function readToken(text: string): Token {
  const [header = '', payload = '', signature = ''] = text.split('.');
  try {
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg?: string };
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
    const signed = Buffer.from(`${header}.${payload}`);
    return { claims, algorithm: alg ?? '', signed, signature: Buffer.from(signature, 'base64url') };
  } catch {
    throw invalidToken(
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    );
  }
}

/** The provider must be in the account of the role. */
function findProvider({ iss = '' }: Claims, roleArn: string, { world }: CallContext): OidcProvider {
  const accountId = roleArn.split(':')[4] ?? '';
  const provider = world.iam.providers.get(`arn:aws:iam::${accountId}:oidc-provider/${iss.replace('https://', '')}`);
  if (!provider) throw invalidToken(`No OpenIDConnect provider found in your account for ${iss}`);
  return provider;
}

function checkSignature({ algorithm, signed, signature }: Omit<Token, 'claims'>, key: KeyObject | undefined): void {
  if (!key)
    throw invalidToken(
      "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
    );
  const valid =
    (algorithm === 'RS256' && verify('sha256', signed, key, signature)) ||
    (algorithm === 'ES256' && verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature));
  if (!valid) throw invalidToken('The signature of the token could not be verified');
}

function checkExpiry({ exp = 0 }: Claims, now: number): void {
  const seconds = Math.floor(now / 1000);
  if (seconds >= exp)
    throw new AwsError(
      'ExpiredTokenException',
      `Token expired: current date/time ${seconds} must be before the expiration date/time ${exp}`,
    );
}

function invalidToken(message: string): AwsError {
  return new AwsError('InvalidIdentityTokenException', message);
}
