/** The pods' service account in Kubernetes, and the annotation by which IRSA gives it its role. */
import { findAccessEntry } from '../cluster/access-entry.ts';
import { lacks } from '../cluster/access-review.ts';
import { unlessHidden } from '../cluster/connection.ts';
import { rules } from '../cluster/provisioner-role.ts';
import { unlessTaken } from '../errors/errors.ts';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.ts';
import { isHelmManaged, ownerLabels } from '../kubernetes/ownership-labels.ts';
import type { Owner } from '../model/ownership.ts';
import type { StepContext } from '../step/contract.ts';
import { type PodIdentity, serviceAccountOf } from './pod-trust.ts';

export const serviceAccountRules = {
  complete: [rules.createServiceAccount, rules.serviceAccount],
  annotate: [rules.serviceAccount],
} as const;

/** IRSA's webhook reads a service account's role from it (EKS user guide, "Assign IAM roles to Kubernetes service accounts"). */
export const roleAnnotation = 'eks.amazonaws.com/role-arn';

/** A run sets it beside the role's annotation, with the same value. It distinguishes our annotation from one that the Helm values set. */
const ourAnnotation = 'kubecost-payer-onboarding/annotated-role';

/** `hidden`: we may not read it. */
export type SeenServiceAccount = KubernetesObject | undefined | 'hidden';

const collectionPath = ({ namespace }: PodIdentity) => `/api/v1/namespaces/${namespace}/serviceaccounts`;
const pathOf = (pod: PodIdentity) => `${collectionPath(pod)}/${pod.serviceAccount}`;

/** `hidden` in a dry run while our right to read it is only planned. */
export function findServiceAccount(cx: StepContext, pod: PodIdentity): Promise<SeenServiceAccount> {
  return unlessHidden(cx, () => cx.kubernetes.get(pathOf(pod)));
}

/** For an offboarding of a cluster that exists; `hidden` if an earlier attempt has already given up our rights. */
export async function findAnnotatedServiceAccount(
  cx: StepContext<'offboarding'>,
  pod: PodIdentity,
): Promise<SeenServiceAccount> {
  if (!(await findAccessEntry(cx))) return 'hidden';
  const right = { group: '', resource: 'serviceaccounts', name: pod.serviceAccount };
  for (const verb of ['get', 'patch'])
    if (await lacks(cx.kubernetes, pod.namespace, { ...right, verb })) return 'hidden';
  return cx.kubernetes.get(pathOf(pod));
}

export interface RoleAnnotation {
  roleArn: string;
  /** A run has set it, and nobody has changed it since. */
  isOurs: boolean;
}

export function annotationOf(serviceAccount: SeenServiceAccount): RoleAnnotation | undefined {
  if (!serviceAccount || serviceAccount === 'hidden') return undefined;
  const { annotations = {} } = serviceAccount.metadata;
  const roleArn = annotations[roleAnnotation];
  return roleArn === undefined ? undefined : { roleArn, isOurs: annotations[ourAnnotation] === roleArn };
}

/** True if a Helm upgrade may drop our annotation. */
export function mayBeOverwritten(serviceAccount: SeenServiceAccount): boolean {
  if (!serviceAccount || serviceAccount === 'hidden') return false;
  return isHelmManaged(serviceAccount) && annotationOf(serviceAccount)?.isOurs === true;
}

/** `resource` is `namespace/name`. */
export type ServiceAccountChange =
  | { action: 'create-service-account' | 'annotate-service-account'; resource: string; roleArn: string; note?: string }
  | { action: 'remove-annotation'; resource: string };

/** The change after which the service account exists and names a role; a role that it already names stays. */
export function serviceAccountChanges(
  serviceAccount: SeenServiceAccount,
  pod: PodIdentity,
  roleArn: string,
): ServiceAccountChange[] {
  const resource = serviceAccountOf(pod);
  if (serviceAccount === 'hidden')
    return [{ action: 'create-service-account', resource, roleArn, note: 'or annotated, if it exists' }];
  if (!serviceAccount) return [{ action: 'create-service-account', resource, roleArn }];
  return annotationOf(serviceAccount) ? [] : [{ action: 'annotate-service-account', resource, roleArn }];
}

export async function applyServiceAccountChange(
  kubernetes: KubernetesClient,
  pod: PodIdentity,
  change: ServiceAccountChange,
  owner: Owner,
): Promise<void> {
  const annotate = (value: string | null) => ({ annotations: { [roleAnnotation]: value, [ourAnnotation]: value } });
  switch (change.action) {
    case 'create-service-account': {
      const { namespace, serviceAccount: name } = pod;
      const metadata = { name, namespace, labels: ownerLabels(owner), ...annotate(change.roleArn) };
      return unlessTaken(['AlreadyExists'], () =>
        kubernetes.create(collectionPath(pod), { apiVersion: 'v1', kind: 'ServiceAccount', metadata }),
      );
    }
    case 'annotate-service-account':
      await kubernetes.patch(pathOf(pod), { metadata: annotate(change.roleArn) });
      return;
    case 'remove-annotation':
      await kubernetes.patch(pathOf(pod), { metadata: annotate(null) });
  }
}
