import type * as sdk from '@aws-sdk/client-iam';
import { AwsError, type CallContext, type Operation, operation } from '../../service.ts';
import { invalid } from './policy-documents.ts';
import type { OidcProvider } from './state.ts';
import { addTags, requestTagContext, resourceTagContext, tagList } from './tags.ts';

const mostClientIds = 100;
const mostProviders = 100;

export const oidcOperations = {
  CreateOpenIDConnectProvider: operation<sdk.CreateOpenIDConnectProviderCommandInput, object>({
    writes: true,
    permissions({ Url, Tags }, cx) {
      const asked = { resources: [providerArn(cx, Url)], context: requestTagContext(Tags) };
      const tagging = Tags?.length ? [{ action: 'iam:TagOpenIDConnectProvider', ...asked }] : [];
      return [{ action: 'iam:CreateOpenIDConnectProvider', ...asked }, ...tagging];
    },
    run({ Url = '', ClientIDList: clientIds = [], ThumbprintList: thumbprints, Tags }, cx) {
      checkUrl(Url);
      clientIds.forEach(checkClientId);
      if (thumbprints?.some((thumbprint) => thumbprint.length !== 40))
        throw invalid('thumbprintList', 'Member must satisfy constraint: [Member must have length 40]');
      const { accountId } = cx.caller;
      const { providers } = cx.world.iam;
      const arn = providerArn(cx, Url);
      if (providers.has(arn))
        throw new AwsError('EntityAlreadyExistsException', `Provider with url ${Url} already exists.`);
      if ([...providers.values()].filter((provider) => provider.accountId === accountId).length >= mostProviders)
        throw new AwsError(
          'LimitExceededException',
          `Cannot exceed quota for OpenIdConnectProvidersPerAccount: ${mostProviders}`,
        );
      const tags = new Map<string, string>();
      addTags(tags, Tags);
      const url = Url.replace('https://', '');
      // Without a thumbprint IAM fetches one from the issuer.
      const known = thumbprints?.length ? thumbprints : ['9e99a48a9960b14926bb7f3b02e22da2b0ab7280'];
      providers.set(arn, {
        arn,
        accountId,
        url,
        clientIds: [...clientIds],
        thumbprints: known,
        createdAt: cx.now,
        tags,
      });
      return { OpenIDConnectProviderArn: arn, Tags: tagList(tags) };
    },
  }),

  GetOpenIDConnectProvider: onProvider<sdk.GetOpenIDConnectProviderCommandInput>(
    'read',
    'iam:GetOpenIDConnectProvider',
    ({ url, clientIds, thumbprints, createdAt, tags }) => ({
      Url: url,
      ClientIDList: clientIds,
      ThumbprintList: thumbprints,
      CreateDate: new Date(createdAt),
      Tags: tagList(tags),
    }),
  ),

  ListOpenIDConnectProviders: operation<sdk.ListOpenIDConnectProvidersCommandInput, object>({
    writes: false,
    permissions: () => [{ action: 'iam:ListOpenIDConnectProviders', resources: ['*'] }],
    run(_, { world, caller }) {
      const own = [...world.iam.providers.values()].filter(({ accountId }) => accountId === caller.accountId);
      return { OpenIDConnectProviderList: own.map(({ arn }) => ({ Arn: arn })) };
    },
  }),

  AddClientIDToOpenIDConnectProvider: onProvider<sdk.AddClientIDToOpenIDConnectProviderCommandInput>(
    'write',
    'iam:AddClientIDToOpenIDConnectProvider',
    ({ clientIds }, { ClientID = '' }) => {
      checkClientId(ClientID);
      if (clientIds.includes(ClientID)) return {};
      if (clientIds.length >= mostClientIds)
        throw new AwsError(
          'LimitExceededException',
          `Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: ${mostClientIds}`,
        );
      clientIds.push(ClientID);
      return {};
    },
  ),

  DeleteOpenIDConnectProvider: onProvider<sdk.DeleteOpenIDConnectProviderCommandInput>(
    'write',
    'iam:DeleteOpenIDConnectProvider',
    ({ arn }, _, { world }) => {
      world.iam.providers.delete(arn);
      return {};
    },
  ),

  TagOpenIDConnectProvider: onProvider<sdk.TagOpenIDConnectProviderCommandInput>(
    'write',
    'iam:TagOpenIDConnectProvider',
    ({ tags }, { Tags }) => {
      addTags(tags, Tags);
      return {};
    },
  ),
};

interface ProviderRequest {
  OpenIDConnectProviderArn: string | undefined;
  Tags?: sdk.Tag[] | undefined;
}

function onProvider<Input extends ProviderRequest>(
  access: 'read' | 'write',
  action: string,
  run: (provider: OidcProvider, input: Input, cx: CallContext) => object,
): Operation<Input, object> {
  return {
    writes: access === 'write',
    permissions({ OpenIDConnectProviderArn: arn = '', Tags }, { world }) {
      const tags = resourceTagContext(world.iam.providers.get(arn)?.tags);
      return [{ action, resources: [arn], context: { ...tags, ...requestTagContext(Tags) } }];
    },
    run(input, cx) {
      const arn = input.OpenIDConnectProviderArn ?? '';
      const provider = cx.world.iam.providers.get(arn);
      if (provider?.accountId !== cx.caller.accountId)
        throw new AwsError('NoSuchEntityException', `OpenIDConnect Provider not found for arn ${arn}`);
      return run(provider, input, cx);
    },
  };
}

function providerArn({ caller }: CallContext, url = ''): string {
  return `arn:aws:iam::${caller.accountId}:oidc-provider/${url.replace('https://', '')}`;
}

function checkUrl(text: string): void {
  if (text.length > 255) throw invalid('url', 'Member must have length less than or equal to 255');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || /^https:\/\/[^/]*:/.test(text) || url.search !== '' || url.hash !== '')
    throw new AwsError('InvalidInputException', 'Invalid Open ID Connect Provider URL');
}

function checkClientId(clientId: string): void {
  if (clientId === '' || clientId.length > 255) throw invalid('clientID', 'Member must have length between 1 and 255');
}
