import { generateKeyPair, type KeyObject, randomBytes, randomUUID, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import type { User } from './authorize.ts';
import { badRequest, invalid, KubernetesFailure, notFound } from './failure.ts';
import { isRecord, typeOfKind } from './objects.ts';
import { type ObjectStore, timestamp } from './store.ts';

const apiAudience = 'https://kubernetes.default.svc';
const leastSeconds = 600;
/** EKS limits a token to this duration, regardless of the request. */
const mostSeconds = 86_400;

interface Claims {
  iss: string;
  sub: string;
  aud: string[];
  exp: number;
  'kubernetes.io': {
    namespace: string;
    serviceaccount: { name: string; uid: string };
    /** Present if the token is valid only until this pod is deleted. */
    pod?: { name: string; uid: string };
  };
}

interface BoundObject {
  kind?: string;
  apiVersion?: string;
  name?: string;
  uid?: string;
}

/** The cluster's issuer: tokens of its service accounts, bound to the account's uid. */
export class ServiceAccountTokens {
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;
  readonly #keyId = randomBytes(20).toString('hex');
  readonly #issuer: string;
  readonly #store: ObjectStore;
  readonly #now: () => number;

  private constructor(
    keys: { publicKey: KeyObject; privateKey: KeyObject },
    issuer: string,
    store: ObjectStore,
    now: () => number,
  ) {
    this.publicKey = keys.publicKey;
    this.#privateKey = keys.privateKey;
    this.#issuer = issuer;
    this.#store = store;
    this.#now = now;
  }

  /** P-256 instead of the RSA of EKS: a fleet of clusters is created faster, and STS accepts both. */
  static async create(issuer: string, store: ObjectStore, now: () => number): Promise<ServiceAccountTokens> {
    const keys = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
    return new ServiceAccountTokens(keys, issuer, store, now);
  }

  /** Answers a TokenRequest. */
  issue(namespace: string, name: string, body: unknown): object {
    const account = this.#store.get(typeOfKind('ServiceAccount'), namespace, name);
    if (!account) throw notFound(typeOfKind('ServiceAccount'), name);
    if (!isRecord(body) || (body.kind ?? 'TokenRequest') !== 'TokenRequest')
      throw badRequest('the object provided is unrecognized (must be of type TokenRequest)');
    const spec = (body.spec ?? {}) as {
      audiences?: string[];
      expirationSeconds?: number;
      boundObjectRef?: BoundObject | null;
    };
    const { audiences = [], expirationSeconds = 3600, boundObjectRef } = spec;
    if (expirationSeconds < leastSeconds)
      throw invalid(
        { group: 'authentication.k8s.io', kind: 'TokenRequest' },
        '',
        'spec.expirationSeconds',
        `Invalid value: ${expirationSeconds}: may not specify a duration less than 10 minutes`,
      );
    const pod = boundObjectRef && this.#boundPod(namespace, name, boundObjectRef);
    const issuedAt = Math.floor(this.#now() / 1000);
    const exp = issuedAt + Math.min(expirationSeconds, mostSeconds);
    const aud = audiences.length > 0 ? audiences : [apiAudience];
    const claims: Claims & { iat: number; nbf: number; jti: string } = {
      aud,
      exp,
      iat: issuedAt,
      iss: this.#issuer,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        serviceaccount: { name, uid: account.metadata.uid ?? '' },
        ...(pod && { pod }),
      },
      nbf: issuedAt,
      sub: `system:serviceaccount:${namespace}:${name}`,
    };
    return {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, creationTimestamp: timestamp(this.#now()) },
      spec: { audiences: aud, expirationSeconds: exp - issuedAt, boundObjectRef: boundObjectRef ?? null },
      status: { token: this.#signed(claims), expirationTimestamp: timestamp(exp * 1000) },
    };
  }

  /** The check of kube-apiserver's serviceaccount/token registry: the pod exists and runs as this account. */
  #boundPod(namespace: string, account: string, { kind = '', name = '', uid }: BoundObject) {
    if (kind !== 'Pod') throw badRequest(`cannot bind token to object of type ${kind}`);
    const pod = this.#store.get(typeOfKind('Pod'), namespace, name);
    if (!pod) throw notFound(typeOfKind('Pod'), name);
    const found = pod.metadata.uid ?? '';
    if (uid !== undefined && uid !== found)
      throw new KubernetesFailure(
        409,
        'Conflict',
        `Operation cannot be fulfilled on Pod "${name}": the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    if ((pod.spec as { serviceAccountName?: string }).serviceAccountName !== account)
      throw badRequest(
        `cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`,
      );
    return { name, uid: found };
  }

  /** The user of the token; undefined unless it is valid now and issued for the API server. */
  authenticate(token: string): User | undefined {
    const [header = '', payload = '', signature = ''] = token.split('.');
    const key = { key: this.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
      return undefined;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
    const { namespace, serviceaccount, pod } = claims['kubernetes.io'];
    const account = this.#store.get(typeOfKind('ServiceAccount'), namespace, serviceaccount.name);
    if (!claims.aud.includes(apiAudience) || claims.exp * 1000 <= this.#now()) return undefined;
    if (account?.metadata.uid !== serviceaccount.uid) return undefined;
    if (pod && this.#store.get(typeOfKind('Pod'), namespace, pod.name)?.metadata.uid !== pod.uid) return undefined;
    return {
      username: claims.sub,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      policies: [],
    };
  }

  #signed(claims: object): string {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const text = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }
}
