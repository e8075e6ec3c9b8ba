import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpRequest } from '@smithy/types';
import { isServedHere } from './in-process-http.ts';

/**
 * Lets requests to a server of this process carry the scope of a signature without its digest: the sandbox looks at who signed and
 * for what, and never checks the digest, which takes a sixth of the SDK's time. Presigned URLs stay signed.
 */
export function useNominalSignatures(): void {
  const sign = Reflect.get(SignatureV4.prototype, 'sign') as (...args: unknown[]) => unknown;
  Object.assign(SignatureV4.prototype, {
    async sign(this: SignatureV4 & Signer, request: HttpRequest, options: Options = {}): Promise<unknown> {
      if (!isServedHere(request.hostname, request.port)) return Reflect.apply(sign, this, [request, options]);
      const { accessKeyId, sessionToken } = await this.credentialProvider();
      const region = options.signingRegion ?? (await this.regionProvider());
      const date = (options.signingDate ?? new Date()).toISOString().replace(/[-:]|\.\d+/g, '');
      const scope = [accessKeyId, date.slice(0, 8), region, options.signingService ?? this.service, 'aws4_request'];
      return {
        ...request,
        headers: {
          ...request.headers,
          'x-amz-date': date,
          ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
          authorization: `AWS4-HMAC-SHA256 Credential=${scope.join('/')}, SignedHeaders=host, Signature=none`,
        },
      };
    },
  });
}

/** What the class keeps of its options. */
interface Signer {
  credentialProvider(): Promise<{ accessKeyId: string; sessionToken?: string }>;
  regionProvider(): Promise<string>;
  service: string;
}

interface Options {
  signingDate?: Date;
  signingRegion?: string;
  signingService?: string;
}
