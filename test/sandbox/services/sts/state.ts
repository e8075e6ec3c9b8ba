import { createHash, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Caller } from '../../service.ts';
import type { World } from '../../world.ts';
import type { Role } from '../iam/state.ts';
import { type PresignedAnswer, verifyPresigned } from './presigned-url.ts';

export interface Session {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: Date;
}

interface NewSession {
  accountId: string;
  roleName: string;
  sessionName: string;
  sessionPolicy?: string;
  /** Transitive tags. */
  sessionTags?: Record<string, string>;
  durationSeconds?: number;
}

interface StoredSession {
  caller: Caller;
  expiresAt: number;
}

export type Authentication = { caller: Caller } | { caller?: undefined; reason: 'unknown' | 'expired' };

export class StsState {
  readonly #sessions = new Map<string, StoredSession>();
  readonly #issuers = new Map<string, KeyObject>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Publishes the signing key of an OIDC issuer (`https://…`), like its JWKS document. */
  registerIssuer(issuerUrl: string, publicKey: string | KeyObject): void {
    this.#issuers.set(issuerUrl, typeof publicKey === 'string' ? createPublicKey(publicKey) : publicKey);
  }

  issuerKey(issuerUrl: string): KeyObject | undefined {
    return this.#issuers.get(issuerUrl);
  }

  /** A session of a role without a call of STS, such as those of EKS and Lambda. */
  issueSession(asked: NewSession): Session {
    const role = this.#world.iam.role(asked.accountId, asked.roleName);
    if (!role) throw new Error(`The sandbox has no role ${asked.roleName} in account ${asked.accountId}`);
    return this.open(role, asked);
  }

  open(role: Role, asked: Omit<NewSession, 'accountId' | 'roleName'>): Session {
    const { sessionName, sessionPolicy, sessionTags, durationSeconds = 3600 } = asked;
    const accessKeyId = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
    const expiresAt = this.#world.clock.now() + durationSeconds * 1000;
    const caller: Caller = {
      accountId: role.accountId,
      arn: `arn:aws:sts::${role.accountId}:assumed-role/${role.name}/${sessionName}`,
      roleArn: role.arn,
      roleId: role.id,
      ...(sessionPolicy !== undefined && { sessionPolicy }),
      ...(sessionTags && Object.keys(sessionTags).length > 0 && { sessionTags }),
    };
    this.#sessions.set(accessKeyId, { caller, expiresAt });
    return {
      accessKeyId,
      secretAccessKey: secretOf(accessKeyId),
      sessionToken: tokenOf(accessKeyId, caller),
      expiration: new Date(expiresAt),
    };
  }

  /** A 12-digit access key is that account's root; all others must have been issued here. */
  authenticate(accessKeyId: string, sessionToken?: string): Authentication {
    if (/^\d{12}$/.test(accessKeyId))
      return { caller: { accountId: accessKeyId, arn: `arn:aws:iam::${accessKeyId}:root` } };
    const session = this.#sessions.get(accessKeyId);
    if (!session || sessionToken !== tokenOf(accessKeyId, session.caller)) return { reason: 'unknown' };
    return session.expiresAt > this.#world.clock.now() ? { caller: session.caller } : { reason: 'expired' };
  }

  /** The caller with this access key; undefined if the key is unknown or expired. */
  callerOf(accessKeyId: string): Caller | undefined {
    const caller = this.#sessions.get(accessKeyId)?.caller;
    return this.authenticate(accessKeyId, caller && tokenOf(accessKeyId, caller)).caller;
  }

  /**
   * Checks the presigned GetCallerIdentity URL inside an EKS token, by the rules of aws-iam-authenticator.
   * @param clusterName the cluster for which the URL must be signed; unchecked if absent
   */
  verifyPresigned(url: string, clusterName?: string): PresignedAnswer {
    return verifyPresigned(this.#world, url, clusterName);
  }
}

/** Derived from the key, so that a fleet's many thousand sessions take no room. */
export function secretOf(accessKeyId: string): string {
  return createHash('shake256', { outputLength: 30 }).update(accessKeyId).digest('base64');
}

/** As long as real ones are, and longer with policies and tags: EKS refuses bearer tokens of more than 4,096 bytes. */
function tokenOf(accessKeyId: string, { sessionPolicy = '', sessionTags = {} }: Caller): string {
  const outputLength = 500 + sessionPolicy.length / 2 + JSON.stringify(sessionTags).length;
  const content = createHash('shake256', { outputLength: Math.ceil(outputLength) }).update(`token ${accessKeyId}`);
  return `IQoJb3JpZ2luX2Vj${content.digest('base64')}`;
}
