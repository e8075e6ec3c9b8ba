import type { Authorizer, User } from './authorize.ts';
import { badRequest } from './failure.ts';
import { isRecord } from './objects.ts';
import type { Attributes } from './rules.ts';

interface ResourceAttributes {
  namespace?: string;
  verb?: string;
  group?: string;
  resource?: string;
  subresource?: string;
  name?: string;
}

/** Reviews of a user's own permissions. */
export function selfReview(authorizer: Authorizer, user: User, resource: string, body: unknown): object {
  const review = isRecord(body) ? body : {};
  const spec = isRecord(review.spec) ? review.spec : {};
  const answered = (kind: string, status: object) => ({
    kind,
    apiVersion: 'authorization.k8s.io/v1',
    metadata: {},
    spec,
    status,
  });
  if (resource === 'selfsubjectrulesreviews') {
    if (typeof spec.namespace !== 'string') throw badRequest('no namespace on request');
    const rules = authorizer.rules(user, spec.namespace);
    return answered('SelfSubjectRulesReview', {
      resourceRules: rules.filter(({ nonResourceURLs }) => !nonResourceURLs),
      nonResourceRules: rules.filter(({ nonResourceURLs }) => nonResourceURLs),
      // EKS's access policies are not in the list.
      incomplete: true,
      evaluationError: 'webhook authorizer does not support user rule resolution',
    });
  }
  const reason = authorizer.allows(user, attributesOf(spec));
  return answered('SelfSubjectAccessReview', {
    allowed: reason !== undefined,
    ...(reason !== undefined && { reason }),
  });
}

function attributesOf(spec: Record<string, unknown>): Attributes {
  const { resourceAttributes, nonResourceAttributes } = spec as {
    resourceAttributes?: ResourceAttributes;
    nonResourceAttributes?: { path?: string; verb?: string };
  };
  if (nonResourceAttributes) return { path: nonResourceAttributes.path ?? '', verb: nonResourceAttributes.verb ?? '' };
  if (!resourceAttributes)
    throw badRequest('spec: exactly one of nonResourceAttributes or resourceAttributes must be specified');
  const { namespace, verb = '', group = '', resource = '', subresource, name } = resourceAttributes;
  return {
    verb,
    group,
    resource,
    ...(subresource && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  };
}
