import { createHash, createHmac } from 'node:crypto';
import { readScope } from '../../credentials.ts';
import type { Caller } from '../../service.ts';
import type { World } from '../../world.ts';
import { secretOf } from './state.ts';

export type PresignedAnswer = { caller: Caller; reason?: undefined } | { caller?: undefined; reason: string };

const allowedParameters = [
  'action',
  'version',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
];
/** The validity, regardless of X-Amz-Expires. */
const validMs = 15 * 60_000;

export function verifyPresigned(world: World, text: string, clusterName?: string): PresignedAnswer {
  if (!URL.canParse(text)) return { reason: 'the token holds no URL' };
  const url = new URL(text);
  const query = url.searchParams;
  const scope = readScope({ headers: {}, query });
  const reason =
    urlProblem(url) ??
    timeProblem(query, world.clock.now()) ??
    (scope?.service === 'sts' && url.hostname === `sts.${scope.region}.amazonaws.com`
      ? undefined
      : `unexpected hostname ${url.hostname} or signing scope`);
  if (reason !== undefined || !scope) return { reason: reason ?? 'not signed' };
  const found = world.sts.authenticate(scope.accessKeyId, scope.sessionToken);
  if (!found.caller) return { reason: `the access key is ${found.reason}` };
  if (clusterName !== undefined && !isSignedFor(clusterName, url, scope.accessKeyId, found.caller))
    return { reason: `the signature is not for cluster ${clusterName}` };
  return { caller: found.caller };
}

function urlProblem(url: URL): string | undefined {
  const query = url.searchParams;
  if (url.protocol !== 'https:') return `unexpected scheme ${url.protocol}`;
  if (url.pathname !== '/') return `unexpected path ${url.pathname}`;
  const names = [...query.keys()].map((name) => name.toLowerCase());
  const unknown = names.find((name) => !allowedParameters.includes(name));
  if (unknown !== undefined) return `non-whitelisted query parameter ${unknown}`;
  if (new Set(names).size < names.length) return 'query parameter with multiple values';
  if (query.get('Action') !== 'GetCallerIdentity') return 'unexpected action parameter';
  const signed = query.get('X-Amz-SignedHeaders')?.split(';') ?? [];
  return signed.includes('x-k8s-aws-id') ? undefined : 'client did not sign the x-k8s-aws-id header';
}

function timeProblem(query: URLSearchParams, now: number): string | undefined {
  const expires = Number(query.get('X-Amz-Expires') ?? Number.NaN);
  if (!(expires >= 0 && expires <= 900)) return 'invalid X-Amz-Expires parameter';
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(query.get('X-Amz-Date') ?? '');
  if (!parts) return 'malformed X-Amz-Date parameter';
  const [, year, month, day, hour, minute, second] = parts.map(Number);
  const signedAt = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  if (signedAt > now + validMs) return 'signature not yet current';
  return now > signedAt + validMs ? 'X-Amz-Date parameter is expired' : undefined;
}

/**
 * The cluster's name is a signed header that is not in the URL, so only the signature shows the cluster for which it was created.
 * The root of an account may sign with any secret, so its signature cannot be checked.
 */
function isSignedFor(clusterName: string, url: URL, accessKeyId: string, caller: Caller): boolean {
  if (caller.roleArn === undefined) return true;
  const query = url.searchParams;
  const signedHeaders = query.get('X-Amz-SignedHeaders') ?? '';
  const values: Record<string, string> = { host: url.host, 'x-k8s-aws-id': clusterName };
  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const headers = signedHeaders.split(';').map((name) => `${name}:${values[name] ?? ''}\n`);
  const request = ['GET', '/', canonicalQuery, headers.join(''), signedHeaders, sha256('')].join('\n');
  const [, ...scope] = (query.get('X-Amz-Credential') ?? '').split('/');
  const toSign = ['AWS4-HMAC-SHA256', query.get('X-Amz-Date') ?? '', scope.join('/'), sha256(request)].join('\n');
  const key = scope.reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${secretOf(accessKeyId)}`);
  return hmac(key, toSign).toString('hex') === query.get('X-Amz-Signature');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
