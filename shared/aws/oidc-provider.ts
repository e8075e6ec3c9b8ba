/** The IAM provider for a cluster's OIDC issuer: IRSA's tokens come from it. Other tools share it, so no run deletes it. */
import {
  AddClientIDToOpenIDConnectProviderCommand,
  CreateOpenIDConnectProviderCommand,
  GetOpenIDConnectProviderCommand,
} from '@aws-sdk/client-iam';
import { absentIf, unlessTaken } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import { iamOf } from './role.ts';
import { ownerTags, toTagList } from './tags.ts';
import type { TargetAccount } from './target-account.ts';

/** The provider's name is the issuer. EKS generates its id, so no narrower resource is known in advance. */
export const oidcProviderPermission = {
  actions: [
    'iam:GetOpenIDConnectProvider',
    'iam:CreateOpenIDConnectProvider',
    'iam:TagOpenIDConnectProvider',
    'iam:AddClientIDToOpenIDConnectProvider',
  ],
  resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:oidc-provider/*'],
} as const;

/** The audience of the tokens that IRSA mounts into pods. */
const audience = 'sts.amazonaws.com';

export interface OidcProvider {
  clientIds: string[];
}

/** @param issuer host and path, without https:// */
export function oidcProviderArnOf(accountId: string, issuer: string): string {
  return `arn:aws:iam::${accountId}:oidc-provider/${issuer}`;
}

export async function findOidcProvider(account: TargetAccount, arn: string): Promise<OidcProvider | undefined> {
  const answer = await absentIf(['NoSuchEntity', 'NoSuchEntityException'], () =>
    iamOf(account).send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn })),
  );
  return answer && { clientIds: answer.ClientIDList ?? [] };
}

export interface OidcProviderChange {
  action: 'create-oidc-provider' | 'add-oidc-client';
  /** The provider's ARN. */
  resource: string;
}

/** The changes after which AWS accepts the issuer's tokens for STS. */
export function oidcProviderChanges(provider: OidcProvider | undefined, resource: string): OidcProviderChange[] {
  if (!provider) return [{ action: 'create-oidc-provider', resource }];
  return provider.clientIds.includes(audience) ? [] : [{ action: 'add-oidc-client', resource }];
}

export async function applyOidcProviderChange(
  account: TargetAccount,
  { action, resource }: OidcProviderChange,
  owner: Owner,
): Promise<void> {
  const iam = iamOf(account);
  switch (action) {
    case 'create-oidc-provider':
      return unlessTaken(['EntityAlreadyExists', 'EntityAlreadyExistsException'], () =>
        iam.send(
          new CreateOpenIDConnectProviderCommand({
            Url: `https://${resource.split(':oidc-provider/')[1] ?? ''}`,
            ClientIDList: [audience],
            Tags: toTagList(ownerTags(owner)),
          }),
        ),
      );
    case 'add-oidc-client':
      await iam.send(
        new AddClientIDToOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: resource, ClientID: audience }),
      );
  }
}
