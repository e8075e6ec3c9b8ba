import { isAwsError } from '../errors/errors.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { KubernetesRule } from '../step/contract.ts';
import { describeRight, givesRight, type Right, rightsOf } from './provisioner-role.ts';

interface Scope {
  namespace: string;
  rules: KubernetesRule[];
}

/** Asks the API server, which knows Roles and EKS access policies alike. */
export async function lacks(kubernetes: KubernetesClient, namespace: string, right: Right): Promise<boolean> {
  const [resource, subresource] = right.resource.split('/');
  const review = await kubernetes.create<{ status?: { allowed?: boolean } }>(
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          namespace,
          verb: right.verb,
          group: right.group,
          resource,
          subresource,
          name: right.name,
        },
      },
    },
  );
  return !review.status?.allowed;
}

/** What Roles give us in the namespace; what an EKS access policy gives is not among it. */
async function rulesIn(kubernetes: KubernetesClient, namespace: string): Promise<KubernetesRule[]> {
  const review = await kubernetes.create<{ status?: { resourceRules?: KubernetesRule[] } }>(
    '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
  );
  return review.status?.resourceRules ?? [];
}

/**
 * The rules the API server lists answer most in one call; the rest is asked for one by one until the first no. The namespace counts
 * as a right: an administrator is allowed everything in one that does not exist.
 */
async function missingRight(kubernetes: KubernetesClient, { namespace, rules }: Scope): Promise<string | undefined> {
  const listed = await rulesIn(kubernetes, namespace);
  for (const right of rules.flatMap(rightsOf)) {
    if (!givesRight(listed, right) && (await lacks(kubernetes, namespace, right))) return describeRight(right);
  }
  const found = await kubernetes.get(`/api/v1/namespaces/${namespace}`);
  return found ? undefined : `namespace ${namespace}`;
}

/** The first of the rights that the API server says we lack; `unknown` while it does not know us. */
export async function missingRights(kubernetes: KubernetesClient, scope: Scope): Promise<string[] | 'unknown'> {
  try {
    const missing = await missingRight(kubernetes, scope);
    return missing === undefined ? [] : [missing];
  } catch (error) {
    if (isAwsError(error, 'Unauthorized', 'Forbidden')) return 'unknown';
    throw error;
  }
}

/** The namespaces in which our Role is, by the rights we have there. */
export async function namespacesWithRole(kubernetes: KubernetesClient, namespaces: string[]): Promise<string[]> {
  const found = await Promise.all(
    namespaces.map(async (namespace) => {
      const rules = await rulesIn(kubernetes, namespace);
      const hasRole = givesRight(rules, { group: '', resource: 'namespaces', verb: 'get', name: namespace });
      return hasRole ? [namespace] : [];
    }),
  );
  return found.flat();
}
