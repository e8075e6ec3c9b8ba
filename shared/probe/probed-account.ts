import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentityProvider } from '@smithy/types';
import { type ClientConstructor, newClient } from '../aws/clients.ts';
import { toIdentity } from '../aws/target-account.ts';

/** An account as the person who runs the probe sees it. */
export interface ProbedAccount {
  accountId: string;
  callerArn: string;
  client<Client>(Constructor: ClientConstructor<Client>, region: string): Client;
}

/**
 * The account of the caller's own credentials, or of a role that these may assume. Without a role the SDK finds the credentials as the
 * AWS CLI does: environment, AWS_PROFILE, single sign-on, instance.
 */
export async function enterAccount(roleArn: string | undefined): Promise<ProbedAccount> {
  const credentials = roleArn === undefined ? undefined : await assume(roleArn);
  const sts = newClient(STSClient, 'us-east-1', credentials);
  const { Account: accountId = '', Arn: callerArn = '' } = await sts.send(new GetCallerIdentityCommand({}));
  return { accountId, callerArn, client: (Constructor, region) => newClient(Constructor, region, credentials) };
}

async function assume(roleArn: string): Promise<AwsCredentialIdentityProvider> {
  const command = new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: 'kubecost-payer-probe' });
  const { Credentials } = await newClient(STSClient, 'us-east-1').send(command);
  const identity = toIdentity(Credentials);
  return () => Promise.resolve(identity);
}
