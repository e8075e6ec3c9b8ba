import { randomUUID } from 'node:crypto';
import { effectOf, listOf, type PolicyDocument, type Statement } from '../../policy-evaluation.ts';
import { AwsError, type CallContext, type Caller } from '../../service.ts';
import type { World } from '../../world.ts';
import { principalContext } from '../iam/state.ts';

export interface Key {
  id: string;
  arn: string;
  accountId: string;
  region: string;
  /** AWS makes and manages a key such as aws/s3; nobody can change its policy. */
  manager: 'CUSTOMER' | 'AWS';
  state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  policy: PolicyDocument;
  multiRegion: boolean;
  createdAt: number;
}

interface NewKey {
  accountId: string;
  region: string;
  /** Without `alias/`. */
  alias?: string;
  /** @default the policy of a key made by API: the account's IAM policies decide */
  policy?: PolicyDocument;
  multiRegion?: boolean;
}

export type KeyAction = 'kms:Decrypt' | 'kms:Encrypt' | 'kms:GenerateDataKey';

/** A use of a key, by a service for its caller. */
export interface KeyUse {
  action: KeyAction;
  keyArn: string;
  /** `s3`, `glue` or `athena`. */
  via: string;
  region: string;
}

export class KmsState {
  readonly keys = new Map<string, Key>();
  /** ARN of a key by account, region and alias, such as `111122223333/eu-west-1/alias/billing`. */
  readonly aliases = new Map<string, string>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  createKey({ accountId, region, alias, policy = accountPolicy(accountId), multiRegion = false }: NewKey): Key {
    const key = this.#add({ accountId, region, policy, multiRegion, manager: 'CUSTOMER' });
    if (alias !== undefined) this.aliases.set(`${accountId}/${region}/alias/${alias}`, key.arn);
    return key;
  }

  /** The key that AWS makes for a service at its first use. */
  awsKey(accountId: string, region: string, service: string): Key {
    const alias = `${accountId}/${region}/alias/aws/${service}`;
    const known = this.keys.get(this.aliases.get(alias) ?? '');
    if (known) return known;
    const policy = awsPolicy(accountId, region, service);
    const key = this.#add({ accountId, region, policy, multiRegion: false, manager: 'AWS' });
    this.aliases.set(alias, key.arn);
    return key;
  }

  #add(made: Pick<Key, 'accountId' | 'region' | 'policy' | 'multiRegion' | 'manager'>): Key {
    const id = made.multiRegion ? `mrk-${randomUUID().replaceAll('-', '')}` : randomUUID();
    const arn = `arn:aws:kms:${made.region}:${made.accountId}:key/${id}`;
    const key: Key = { ...made, id, arn, state: 'Enabled', createdAt: this.#world.clock.now() };
    this.keys.set(arn, key);
    return key;
  }

  /**
   * The ARN of a key by its ARN, its id, its alias or its alias's ARN; ids and aliases are those of the account.
   * @throws AwsError NotFoundException
   */
  arnOf(accountId: string, region: string, name: string): string {
    const [, aliasRegion = region, aliasAccount = accountId, alias = ''] =
      /^(?:arn:aws:kms:([^:]*):(\d{12}):)?(alias\/.+)$/.exec(name) ?? [];
    if (alias) {
      if (alias.startsWith('alias/aws/')) return this.awsKey(aliasAccount, aliasRegion, alias.slice(10)).arn;
      const target = this.aliases.get(`${aliasAccount}/${aliasRegion}/${alias}`);
      if (target) return target;
      throw notFound(`Alias arn:aws:kms:${aliasRegion}:${aliasAccount}:${alias} is not found.`);
    }
    const arn = name.startsWith('arn:') ? name : `arn:aws:kms:${region}:${accountId}:key/${name}`;
    if (!this.keys.has(arn)) throw notFound(`Key '${arn}' does not exist`);
    return arn;
  }

  /** AWS's words if the caller may not use the key; undefined if it may. */
  refusal(caller: Caller, { action, keyArn, via, region }: KeyUse): string | undefined {
    const key = this.keys.get(keyArn);
    if (!key) return `Key '${keyArn}' does not exist`;
    if (key.state === 'Disabled') return `${keyArn} is disabled.`;
    if (key.state === 'PendingDeletion') return `${keyArn} is pending deletion.`;
    const context = { 'kms:ViaService': `${via}.${region}.amazonaws.com` };
    return this.denial(caller, action, key, context);
  }

  /** AWS's words if the key's policy and the caller's IAM policies do not allow the action on the key. */
  denial(caller: Caller, action: string, key: Key, also: Record<string, string> = {}): string | undefined {
    const refused = `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${key.arn}`;
    const context = { ...also, 'kms:CallerAccount': caller.accountId };
    const question = { action, resource: key.arn, context: { ...principalContext(caller), ...context } };
    const statements = listOf(key.policy.Statement);
    const direct = effectOf([{ Statement: statements.filter((one) => namesCaller(one, caller)) }], question);
    const ofAccount = effectOf([{ Statement: statements.filter((one) => namesAccount(one, caller)) }], question);
    if (direct === 'explicit-deny' || ofAccount === 'explicit-deny')
      return `${refused} with an explicit deny in a resource-based policy`;
    const identity = this.#world.iam.evaluate(caller, { action, resources: [key.arn], context });
    if (identity.explicit) return identity.message;
    const session = caller.sessionPolicy === undefined ? [] : [JSON.parse(caller.sessionPolicy) as PolicyDocument];
    const inSession = session.length === 0 || effectOf(session, question) === 'allow';
    const isForeign = caller.accountId !== key.accountId;
    if (direct === 'allow' && inSession && !isForeign) return undefined;
    if (direct !== 'allow' && ofAccount !== 'allow')
      return `${refused} because no resource-based policy allows the ${action} action`;
    return identity.allowed ? undefined : identity.message;
  }
}

/** @throws AwsError with this code if the caller may not use the key */
export function demandKey({ world, caller, region }: CallContext, code: string, use: Omit<KeyUse, 'region'>): void {
  const refusal = world.kms.refusal(caller, { ...use, region });
  if (refusal !== undefined) throw new AwsError(code, refusal, code === 'AccessDenied' ? 403 : 400);
}

function notFound(message: string): AwsError {
  return new AwsError('NotFoundException', message);
}

function namesCaller({ Principal }: Statement, { arn, roleArn }: Caller): boolean {
  if (Principal === '*') return true;
  const named = typeof Principal === 'object' ? listOf(Principal.AWS) : [];
  return named.some((name) => name === '*' || name === arn || name === roleArn);
}

/** A statement for the account lets the account's IAM policies decide. Its root is the account itself. */
function namesAccount({ Principal }: Statement, { accountId }: Caller): boolean {
  const named = typeof Principal === 'object' ? listOf(Principal.AWS) : [];
  return named.some((name) => name === accountId || name === `arn:aws:iam::${accountId}:root`);
}

function accountPolicy(accountId: string): PolicyDocument {
  const Principal = { AWS: `arn:aws:iam::${accountId}:root` };
  return {
    Version: '2012-10-17',
    Statement: [{ Sid: 'Enable IAM User Permissions', Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' }],
  };
}

/** As AWS writes it for aws/s3: every principal of the account, through the service (KMS Developer Guide, "AWS managed keys"). */
function awsPolicy(accountId: string, region: string, service: string): PolicyDocument {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: [
          'kms:Encrypt',
          'kms:Decrypt',
          'kms:ReEncrypt*',
          'kms:GenerateDataKey*',
          'kms:CreateGrant',
          'kms:DescribeKey',
        ],
        Resource: '*',
        Condition: {
          StringEquals: {
            'kms:CallerAccount': accountId,
            'kms:ViaService': `${service}.${region}.amazonaws.com`,
          },
        },
      },
      {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${accountId}:root` },
        Action: ['kms:Describe*', 'kms:Get*', 'kms:List*'],
        Resource: '*',
      },
    ],
  };
}
