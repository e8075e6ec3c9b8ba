/** What runs have created in a namespace, and which of it is deleted with a target's last payer. An administrator reads and deletes it. */
import {
  type NamespaceObjects,
  type ObjectChange,
  pathOf,
  readAsAdministrator,
  readNamespaceObjects,
} from '../cluster/namespace-objects.ts';
import { secretsOf, withoutSecret } from '../cluster/provisioner-role.ts';
import type { PodSpec, Workload } from '../kubecost/cost-readers.ts';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.ts';
import { listNamespaceContent } from '../kubernetes/namespace-content.ts';
import { objectOwnership } from '../kubernetes/ownership-labels.ts';
import type { Removal } from '../model/steps-and-outputs.ts';
import type { Target } from '../model/target.ts';
import { previousName, readSecret, type Secret, whySecretStays } from '../publication/integration-secret.ts';
import type { StepContext } from '../step/contract.ts';
import type { Neighbour } from './neighbour-targets.ts';

/** Where to look. */
export interface Place {
  target: Target;
  serviceAccount: string;
}

export interface OccupiedNamespace extends NamespaceObjects {
  serviceAccount: KubernetesObject | undefined;
  /** Pods and workloads that run as it. */
  users: string[];
  secret: Secret | undefined;
  previous: Secret | undefined;
  /** Pods and workloads that mount the secret: without it no pod of theirs starts. */
  mounting: string[];
  /** What lies in the namespace, as `listNamespaceContent` names it. */
  content: string[] | undefined;
}

type Kind = 'Role' | 'RoleBinding' | 'ServiceAccount' | 'Secret' | 'Namespace';

export interface Decision {
  changes: ObjectChange[];
  kept: Removal['kept'];
  /** Kubernetes is deleting the namespace. */
  pending: boolean;
  /** Another secret of the namespace needs the Role. */
  shared: boolean;
}

/** `among`: how `listNamespaceContent` spells the kind. */
const deletions = {
  RoleBinding: { action: 'delete-role-binding', among: 'rolebindings.rbac.authorization.k8s.io' },
  Role: { action: 'delete-role', among: 'roles.rbac.authorization.k8s.io' },
  ServiceAccount: { action: 'delete-service-account', among: 'serviceaccounts' },
  Secret: { action: 'delete-secret', among: 'secrets' },
  Namespace: { action: 'delete-namespace', among: 'namespaces' },
} as const;

const corePath = (namespace: string, kind: string) => `/api/v1/namespaces/${namespace}/${kind}`;

/** Everything in the namespace that has pods, or is one, by name. */
async function listPodSpecs(kubernetes: KubernetesClient, namespace: string): Promise<[name: string, PodSpec][]> {
  const apps = `/apis/apps/v1/namespaces/${namespace}`;
  const [pods, deployments, statefulSets] = await Promise.all([
    kubernetes.list<KubernetesObject & { spec: PodSpec }>(corePath(namespace, 'pods')),
    kubernetes.list<Workload>(`${apps}/deployments`),
    kubernetes.list<Workload>(`${apps}/statefulsets`),
  ]);
  return [
    ...deployments.map(({ metadata, spec }): [string, PodSpec] => [`deployment/${metadata.name}`, spec.template.spec]),
    ...statefulSets.map(({ metadata, spec }): [string, PodSpec] => [
      `statefulset/${metadata.name}`,
      spec.template.spec,
    ]),
    ...pods.map(({ metadata, spec }): [string, PodSpec] => [`pod/${metadata.name}`, spec]),
  ];
}

/** `hidden` while the administrator's rights have not taken effect. */
export function readNamespace(kubernetes: KubernetesClient, place: Place): Promise<OccupiedNamespace | 'hidden'> {
  const { target, serviceAccount } = place;
  const { namespace, secretName } = target;
  return readAsAdministrator(async () => {
    const [objects, account, secret, previous, specs] = await Promise.all([
      readNamespaceObjects(kubernetes, namespace),
      kubernetes.get(`${corePath(namespace, 'serviceaccounts')}/${serviceAccount}`),
      readSecret(kubernetes, namespace, secretName),
      readSecret(kubernetes, namespace, previousName(target)),
      listPodSpecs(kubernetes, namespace),
    ]);
    const content = objects.namespace && (await listNamespaceContent(kubernetes, namespace));
    const users = specs.filter(([, spec]) => spec.serviceAccountName === serviceAccount).map(([name]) => name);
    const mounting = specs
      .filter(([, { volumes = [] }]) => volumes.some((volume) => volume.secret?.secretName === secretName))
      .map(([name]) => name);
    return { ...objects, serviceAccount: account, users, content, secret, previous, mounting };
  });
}

interface Candidate {
  kind: Kind;
  object: KubernetesObject | undefined;
  path: string;
  /** Why it stays although it is ours. */
  needed?: string | undefined;
}

function describe(kind: Kind, { metadata: { namespace, name } }: KubernetesObject): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

function commandFor(kind: Kind, { metadata: { namespace, name } }: KubernetesObject): string {
  return `kubectl delete ${kind.toLowerCase()} ${name}${namespace === undefined ? '' : ` --namespace ${namespace}`}`;
}

/** Why an object stays; undefined if it is deleted. */
function whyKept({ kind, object, needed }: Candidate, owner: StepContext['owner']): string | undefined {
  if (!object) return undefined;
  switch (objectOwnership(object, owner)) {
    case 'other-deployment':
      return 'another deployment created it';
    case 'foreign':
      return needed ?? `the cluster’s owner applied it; to delete it: ${commandFor(kind, object)}`;
    case 'ours':
      return needed;
  }
}

/** The objects, in the order in which they are deleted. @param shared why the Role stays: another secret needs it */
function candidatesIn({ target, serviceAccount }: Place, objects: OccupiedNamespace, isUsed: boolean, shared?: string) {
  const { namespace } = target;
  const { binding, role, users, secret, previous, mounting } = objects;
  const [user] = users;
  const secretPath = (object: Secret | undefined) => `${corePath(namespace, 'secrets')}/${object?.metadata.name ?? ''}`;
  return [
    { kind: 'RoleBinding', object: binding, path: pathOf('RoleBinding', namespace), needed: shared },
    { kind: 'Role', object: role, path: pathOf('Role', namespace), needed: shared },
    {
      kind: 'ServiceAccount',
      object: objects.serviceAccount,
      path: `${corePath(namespace, 'serviceaccounts')}/${serviceAccount}`,
      needed: isUsed ? shared : user && `${user} runs as it`,
    },
    { kind: 'Secret', object: secret, path: secretPath(secret), needed: whySecretStays(secret, mounting) },
    { kind: 'Secret', object: previous, path: secretPath(previous) },
  ] satisfies Candidate[];
}

/** The namespace is deleted if nothing stays in it. */
function namespaceCandidate(
  { target: { namespace } }: Place,
  { namespace: object, content }: OccupiedNamespace,
  deleted: readonly Candidate[],
): Candidate {
  const names = new Set(deleted.map((one) => `${deletions[one.kind].among}/${one.object?.metadata.name ?? ''}`));
  const rest = content?.filter((name) => !names.has(name));
  const needed = rest === undefined ? 'its content cannot be listed' : rest[0] && `it holds ${nameSome(rest)}`;
  return { kind: 'Namespace', object, path: pathOf('Namespace', namespace), needed };
}

/** Decides which objects of the namespace are deleted, and whether the namespace is. */
export function decideObjects(
  place: Place,
  neighbours: readonly Neighbour[],
  objects: OccupiedNamespace,
  owner: StepContext['owner'],
): Decision {
  const { namespace, secretName } = place.target;
  const { role } = objects;
  if (objects.namespace && 'deletionTimestamp' in objects.namespace.metadata)
    return { changes: [], kept: [], pending: true, shared: false };
  const sharing = neighbours.filter((other) => other.namespace === namespace);
  const rulesLeft = withoutSecret(role?.rules ?? [], secretName);
  const [other] = [...sharing.map((neighbour) => neighbour.secretName), ...secretsOf(rulesLeft)];
  const shared = other === undefined ? undefined : `secret ${namespace}/${other} still needs it`;
  const isUsed = sharing.some(({ serviceAccount }) => serviceAccount === place.serviceAccount);
  const inside = candidatesIn(place, objects, isUsed, shared);
  const deleted = inside.filter((candidate) => candidate.object && whyKept(candidate, owner) === undefined);
  const changes: ObjectChange[] = [];
  const kept: Removal['kept'] = [];
  if (role && shared && secretsOf(rulesLeft).length < secretsOf(role.rules ?? []).length) {
    const narrowed = { ...role, rules: rulesLeft };
    const resource = describe('Role', role);
    changes.push({ action: 'update-role', resource, path: pathOf('Role', namespace), role: narrowed });
  }
  for (const candidate of [...inside, namespaceCandidate(place, objects, deleted)]) {
    const { kind, object, path } = candidate;
    if (!object) continue;
    const why = whyKept(candidate, owner);
    if (why === undefined) changes.push({ action: deletions[kind].action, resource: describe(kind, object), path });
    // The owner's own namespace, service account and secret were never ours to delete.
    else if (objectOwnership(object, owner) !== 'foreign' || kind.startsWith('Role'))
      kept.push({ resource: describe(kind, object), why });
  }
  const pending = changes.some((change) => change.action === 'delete-namespace');
  return { changes, kept, pending, shared: shared !== undefined };
}

function nameSome(names: readonly string[]): string {
  const most = 3;
  return `${names.slice(0, most).join(', ')}${names.length > most ? ` and ${names.length - most} more` : ''}`;
}
