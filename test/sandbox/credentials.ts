import type { WireRequest } from './codec/codec.ts';

/** The signing scope of a request. The signature is not checked: a known access key identifies its owner. */
export interface SigningScope {
  accessKeyId: string;
  region: string;
  service: string;
  sessionToken?: string;
}

/** Reads the SigV4 scope from the Authorization header, or from the query of a presigned URL. */
export function readScope({ headers, query }: Pick<WireRequest, 'headers' | 'query'>): SigningScope | undefined {
  const credential = /Credential=([^,\s]+)/.exec(headers.authorization ?? '')?.[1] ?? query.get('X-Amz-Credential');
  const [accessKeyId, , region, service, terminator] = credential?.split('/') ?? [];
  if (!accessKeyId || !region || !service || terminator !== 'aws4_request') return undefined;
  const sessionToken = headers['x-amz-security-token'] ?? query.get('X-Amz-Security-Token');
  return { accessKeyId, region, service, ...(sessionToken && { sessionToken }) };
}
