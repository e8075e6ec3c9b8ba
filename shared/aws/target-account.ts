import { AssumeRoleCommand, type Credentials, STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { ErrorCode } from '../errors/catalogue.ts';
import { isAwsError, TerminalError, UserError } from '../errors/errors.ts';
import { ClientCache, type ClientConstructor, hubClient, newClient } from './clients.ts';

export interface AssumeRole {
  roleArn: string;
  externalId?: string;
  sessionName: string;
  /** Inline session policy, at most 2,048 characters: rights become the intersection. */
  policy?: string;
}

export function toIdentity(credentials: Credentials | undefined): AwsCredentialIdentity {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken)
    throw new TerminalError('unexpected', 'STS answered without credentials');
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    ...(Expiration && { expiration: Expiration }),
  };
}

/** Role chaining limits sessions to one hour. 900 s, the minimum of STS, is longer than any invocation. */
async function assumeRole(sts: STSClient, { roleArn, externalId, sessionName, policy }: AssumeRole) {
  const answer = await sts.send(
    new AssumeRoleCommand({
      RoleArn: roleArn,
      RoleSessionName: sessionName,
      ExternalId: externalId,
      Policy: policy,
      DurationSeconds: 900,
    }),
  );
  return { identity: toIdentity(answer.Credentials), arn: answer.AssumedRoleUser?.Arn ?? '' };
}

/** An account that we access through its provisioner role. Each invocation has one session, named after the run. */
export class TargetAccount {
  readonly accountId: string;
  readonly provisionerArn: string;
  readonly #role: AssumeRole;
  readonly #deniedCode: ErrorCode;
  readonly #clients = new ClientCache();
  #session: Promise<AwsCredentialIdentity> | undefined;

  constructor(accountId: string, role: AssumeRole, deniedCode: 'payer-access-denied' | 'cluster-access-denied') {
    this.accountId = accountId;
    this.provisionerArn = role.roleArn;
    this.#role = role;
    this.#deniedCode = deniedCode;
  }

  /** @throws UserError payer-access-denied | cluster-access-denied */
  credentials(): Promise<AwsCredentialIdentity> {
    this.#session ??= this.#enter(this.#role);
    return this.#session;
  }

  /** Credentials of the same role whose rights are cut down to `policy`. */
  narrowedCredentials(policy: string): Promise<AwsCredentialIdentity> {
    return this.#enter({ ...this.#role, policy });
  }

  client<Client>(Constructor: ClientConstructor<Client>, region: string): Client {
    return this.#clients.get(Constructor, region, () => newClient(Constructor, region, () => this.credentials()));
  }

  async #enter(role: AssumeRole): Promise<AwsCredentialIdentity> {
    try {
      const { identity, arn } = await assumeRole(hubClient(STSClient), role);
      if (arn.split(':')[4] !== this.accountId)
        throw new TerminalError('unexpected', `STS answered with a session in another account: ${arn}`);
      return identity;
    } catch (error) {
      if (!isAwsError(error, 'AccessDenied', 'AccessDeniedException')) throw error;
      const detail = `${role.roleArn} cannot be assumed with external id ${role.externalId ?? ''}: ${error.message}`;
      throw new UserError(this.#deniedCode, detail, { cause: error });
    }
  }
}
