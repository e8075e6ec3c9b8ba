import { createHash, createHmac } from 'node:crypto';
import type { Credentials } from './core-world.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/**
 * The bearer token `aws eks get-token` prints: a presigned STS GetCallerIdentity whose signed header names the cluster
 * (AWS General Reference, "Authenticating requests: using query parameters").
 */
export function clusterToken(
  { name, region }: { name: string; region: string },
  { accessKeyId, secretAccessKey, sessionToken = '' }: Credentials,
): string {
  const host = `sts.${region}.amazonaws.com`;
  const date = new Date().toISOString().replace(/\.\d+|[-:]/g, '');
  const scope = [date.slice(0, 8), region, 'sts', 'aws4_request'];
  const query = Object.entries({
    Action: 'GetCallerIdentity',
    Version: '2011-06-15',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': [accessKeyId, ...scope].join('/'),
    'X-Amz-Date': date,
    'X-Amz-Expires': '60',
    ...(sessionToken && { 'X-Amz-Security-Token': sessionToken }),
    'X-Amz-SignedHeaders': 'host;x-k8s-aws-id',
  })
    .map(([parameter, value]) => `${parameter}=${encodeURIComponent(value)}`)
    .sort()
    .join('&');
  const headers = `host:${host}\nx-k8s-aws-id:${name}\n`;
  const request = ['GET', '/', query, headers, 'host;x-k8s-aws-id', sha256('')].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(request)].join('\n');
  const key = scope.reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${secretAccessKey}`);
  const signature = hmac(key, toSign).toString('hex');
  const url = `https://${host}/?${query}&X-Amz-Signature=${signature}`;
  return `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
}
