import type * as sdk from '@aws-sdk/client-eks';
import { accessPolicies } from '../../kubernetes/access-policies.ts';
import type { AccessGrant } from '../../kubernetes/authorize.ts';
import { AwsError, type CallContext, operation } from '../../service.ts';
import { entryCluster, findEntry, onEntry } from './access-entries.ts';
import { page } from './paging.ts';
import type { AccessEntry } from './state.ts';

export const accessPolicyOperations = {
  AssociateAccessPolicy: operation<sdk.AssociateAccessPolicyCommandInput, sdk.AssociateAccessPolicyResponse>({
    writes: true,
    permissions: (input, cx) => [
      onEntry(cx, 'AssociateAccessPolicy', input, {
        'eks:policyArn': input.policyArn ?? '',
        'eks:accessScope': input.accessScope?.type ?? '',
        ...(input.accessScope?.namespaces && { 'eks:namespaces': input.accessScope.namespaces }),
      }),
    ],
    run(input, cx) {
      const entry = findEntry(entryCluster(cx, input.clusterName), input);
      const { policyArn = '', accessScope } = input;
      if (!(policyArn in accessPolicies))
        throw new AwsError('InvalidParameterException', 'The policyArn parameter format is not valid');
      // Associating a policy again replaces its scope.
      const policy: sdk.AssociatedAccessPolicy = {
        policyArn,
        accessScope: checkedScope(accessScope),
        associatedAt: entry.policies.get(policyArn)?.associatedAt ?? new Date(cx.now),
        modifiedAt: new Date(cx.now),
      };
      entry.policies.set(policyArn, policy);
      tellApiServer(entry, cx);
      return {
        clusterName: input.clusterName,
        principalArn: entry.principalArn,
        associatedAccessPolicy: policy,
      };
    },
  }),

  DisassociateAccessPolicy: operation<sdk.DisassociateAccessPolicyCommandInput, object>({
    writes: true,
    permissions: (input, cx) => [
      onEntry(cx, 'DisassociateAccessPolicy', input, { 'eks:policyArn': input.policyArn ?? '' }),
    ],
    run(input, cx) {
      const entry = findEntry(entryCluster(cx, input.clusterName), input);
      if (!entry.policies.delete(input.policyArn ?? ''))
        throw new AwsError(
          'ResourceNotFoundException',
          "The specified policyArn could not be found on the access entry. You can view it with 'list-associated-access-policies'.",
        );
      tellApiServer(entry, cx);
      return {};
    },
  }),

  ListAssociatedAccessPolicies: operation<
    sdk.ListAssociatedAccessPoliciesCommandInput,
    sdk.ListAssociatedAccessPoliciesResponse
  >({
    writes: false,
    permissions: (input, cx) => [onEntry(cx, 'ListAssociatedAccessPolicies', input)],
    run(input, cx) {
      const { policies, principalArn } = findEntry(entryCluster(cx, input.clusterName), input);
      const { items, rest } = page([...policies.values()], input);
      return { clusterName: input.clusterName, principalArn, associatedAccessPolicies: items, ...rest };
    },
  }),
};

function checkedScope({ type, namespaces = [] }: sdk.AccessScope = {}): sdk.AccessScope {
  const fits = type === 'cluster' ? namespaces.length === 0 : type === 'namespace' && namespaces.length > 0;
  if (!fits)
    throw new AwsError(
      'InvalidParameterException',
      'The accessScope must be of type cluster without namespaces, or of type namespace with namespaces.',
    );
  return { type, namespaces };
}

function tellApiServer({ policies, knownGrants }: AccessEntry, { now, world }: CallContext): void {
  const grants = [...policies.values()].map(({ policyArn = '', accessScope }): AccessGrant => ({
    policyArn,
    ...(accessScope?.type === 'namespace' && { namespaces: accessScope.namespaces ?? [] }),
  }));
  knownGrants.set(grants, now + world.eks.accessPolicyMs);
}
