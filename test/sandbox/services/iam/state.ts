import { randomBytes } from 'node:crypto';
import { decide, type Decision, type PolicyDocument, type RequestContext } from '../../policy-evaluation.ts';
import type { Caller, Permission } from '../../service.ts';
import { SettlingValue } from '../../settling-value.ts';
import type { World } from '../../world.ts';
import { awsManagedPolicies } from './aws-managed-policies.ts';
import type { StoredPolicy } from './policy-documents.ts';
import { addTags, type Tags } from './tags.ts';
import { readTrust, type Trust, trusted } from './trust.ts';

export interface Role {
  accountId: string;
  name: string;
  path: string;
  arn: string;
  id: string;
  createdAt: number;
  description?: string;
  maxSessionDuration: number;
  tags: Tags;
  trust: SettlingValue<Trust>;
  /** By name; undefined once deleted. */
  inline: Map<string, SettlingValue<StoredPolicy | undefined>>;
  /** By ARN; undefined once detached. */
  attached: Map<string, SettlingValue<AttachedPolicy | undefined>>;
}

export interface AttachedPolicy {
  arn: string;
  name: string;
  /** The default version. */
  content: SettlingValue<StoredPolicy>;
}

export interface PolicyVersion extends StoredPolicy {
  versionId: string;
  createdAt: number;
}

export interface ManagedPolicy extends AttachedPolicy {
  accountId: string;
  path: string;
  id: string;
  createdAt: number;
  updatedAt: number;
  description?: string;
  tags: Tags;
  defaultVersionId: string;
  /** Oldest first. */
  versions: PolicyVersion[];
  versionsMade: number;
}

export interface OidcProvider {
  arn: string;
  accountId: string;
  /** Without `https://`. */
  url: string;
  clientIds: string[];
  thumbprints: string[];
  createdAt: number;
  tags: Tags;
}

interface NewRole {
  accountId: string;
  name: string;
  path?: string;
  trust: PolicyDocument;
  tags?: Record<string, string>;
  inline?: Record<string, PolicyDocument>;
  /** ARNs. */
  managed?: string[];
  maxSessionDuration?: number;
  /** True: in force at once, without the delay of a change. */
  settled?: boolean;
}

export class IamState {
  /** Milliseconds until AssumeRole and authorisation apply a change; the read API shows it at once. */
  propagationMs = 8_000;
  readonly policies = new Map<string, ManagedPolicy>();
  readonly providers = new Map<string, OidcProvider>();
  readonly #roles = new Map<string, SettlingValue<Role | undefined>>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Creates a role without a call of the API. */
  createRole(seed: NewRole): Role {
    const at = seed.settled ? -Infinity : this.#world.clock.now();
    const role = this.addRole({ ...seed, trust: readTrust(JSON.stringify(seed.trust), this), at });
    addTags(
      role.tags,
      Object.entries(seed.tags ?? {}).map(([Key, Value]) => ({ Key, Value })),
    );
    for (const [name, document] of Object.entries(seed.inline ?? {}))
      role.inline.set(name, new SettlingValue({ text: JSON.stringify(document), document }, at));
    for (const arn of seed.managed ?? []) {
      const policy = this.attachablePolicy(arn);
      if (!policy) throw new Error(`The sandbox has no policy ${arn}`);
      role.attached.set(arn, new SettlingValue(policy, at));
    }
    return role;
  }

  addRole(made: {
    accountId: string;
    name: string;
    path?: string;
    trust: Trust;
    maxSessionDuration?: number;
    at: number;
  }): Role {
    const { accountId, name, path = '/', trust, maxSessionDuration = 3600, at } = made;
    const role: Role = {
      accountId,
      name,
      path,
      arn: `arn:aws:iam::${accountId}:role${path}${name}`,
      id: uniqueId('AROA'),
      createdAt: this.#world.clock.now(),
      maxSessionDuration,
      tags: new Map(),
      trust: new SettlingValue(trust, at),
      inline: new Map(),
      attached: new Map(),
    };
    const key = roleKey(accountId, name);
    const before = this.#roles.get(key);
    if (before) before.set(role, at);
    else this.#roles.set(key, new SettlingValue<Role | undefined>(role, at));
    return role;
  }

  removeRole({ accountId, name }: Role): void {
    this.#roles.get(roleKey(accountId, name))?.set(undefined, this.#world.clock.now());
  }

  /** As the read API shows it. */
  role(accountId: string, name: string): Role | undefined {
    return this.#roles.get(roleKey(accountId, name))?.current;
  }

  roleByArn(arn: string): Role | undefined {
    const role = this.role(...accountAndName(arn));
    return role?.arn === arn ? role : undefined;
  }

  roles(accountId: string): Role[] {
    const all = [...this.#roles.values()].map(({ current }) => current);
    return all.filter((role): role is Role => role?.accountId === accountId);
  }

  /** The role as the rest of AWS sees it at this moment. */
  effectiveRole(accountId: string, name: string): Role | undefined {
    return this.#roles.get(roleKey(accountId, name))?.at(this.#settledUntil());
  }

  effectiveRoleByArn(arn: string): Role | undefined {
    const role = this.effectiveRole(...accountAndName(arn));
    return role?.arn === arn ? role : undefined;
  }

  effectiveTrust(role: Role): Trust | undefined {
    return role.trust.at(this.#settledUntil());
  }

  /** May this AWS service, such as glue.amazonaws.com, assume the role? */
  trusts(roleArn: string, service: string, action = 'sts:AssumeRole'): boolean {
    const role = this.effectiveRoleByArn(roleArn);
    const trust = role && this.effectiveTrust(role);
    if (!trust) return false;
    const context = { 'aws:SourceAccount': role.accountId };
    return trusted(trust, { service }, { action, resource: roleArn, context }) === 'named';
  }

  /** May the caller do this, on every resource named? The account root may do everything. */
  evaluate(caller: Caller, { action, resources, context }: Permission): Decision {
    const allowed: Decision = { allowed: true, message: '' };
    if (caller.roleArn === undefined) return allowed;
    const role = this.effectiveRoleByArn(caller.roleArn);
    const known = role && (caller.roleId ?? role.id) === role.id;
    const identity = known ? this.#effectivePolicies(role) : [];
    const session =
      caller.sessionPolicy === undefined ? undefined : (JSON.parse(caller.sessionPolicy) as PolicyDocument);
    for (const resource of resources) {
      const about = { ...principalContext(caller, role), 'aws:ResourceAccount': ownerOf(resource) ?? caller.accountId };
      const decision = decide(caller.arn, identity, session, { action, resource, context: { ...about, ...context } });
      if (!decision.allowed) return decision;
    }
    return allowed;
  }

  #effectivePolicies(role: Role): PolicyDocument[] {
    const at = this.#settledUntil();
    const inline = [...role.inline.values()].map((history) => history.at(at));
    const managed = [...role.attached.values()].map((history) => history.at(at)?.content.at(at));
    return [...inline, ...managed].flatMap((stored) => (stored ? [stored.document] : []));
  }

  /** A policy of the account or of AWS. */
  attachablePolicy(arn: string): AttachedPolicy | undefined {
    const document = awsManagedPolicies[arn.replace('arn:aws:iam::aws:policy/', '')];
    if (!document || !arn.startsWith('arn:aws:iam::aws:')) return this.policies.get(arn);
    const name = arn.split('/').at(-1) ?? '';
    return { arn, name, content: new SettlingValue({ text: JSON.stringify(document), document }, -Infinity) };
  }

  /** Changes before this moment are in force. */
  #settledUntil(): number {
    return this.#world.clock.now() - this.propagationMs;
  }
}

function roleKey(accountId: string, name: string): string {
  return `${accountId}/${name.toLowerCase()}`;
}

function accountAndName(arn: string): [accountId: string, name: string] {
  return [arn.split(':')[4] ?? '', arn.split('/').at(-1) ?? ''];
}

function ownerOf(resource: string): string | undefined {
  return /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(resource)?.[1];
}

/** Condition keys that describe the caller. */
export function principalContext(caller: Caller, role?: Role): RequestContext {
  const sessionTags = Object.entries(caller.sessionTags ?? {});
  return {
    'aws:PrincipalArn': caller.roleArn ?? caller.arn,
    'aws:PrincipalAccount': caller.accountId,
    'aws:PrincipalType': caller.roleArn === undefined ? 'Account' : 'AssumedRole',
    'aws:PrincipalIsAWSService': 'false',
    'aws:SecureTransport': 'true',
    'aws:ViaAWSService': 'false',
    ...Object.fromEntries(
      [...(role?.tags ?? []), ...sessionTags].map(([key, value]) => [`aws:PrincipalTag/${key}`, value]),
    ),
  };
}

const idAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function uniqueId(prefix: string): string {
  return prefix + [...randomBytes(17)].map((byte) => idAlphabet[byte % 32] ?? '').join('');
}
