/** What runs have made in a namespace, and what becomes of it with a target's last payer. Read and deleted by an administrator. */
import { groupName, type Role, secretsOf, withoutSecret } from '../cluster/provisioner-role.ts';
import { isAwsError } from '../errors/errors.ts';
import { parseIntegrationFile } from '../integration-file/merge.ts';
import type { PodSpec, Workload } from '../kubecost/installation.ts';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.ts';
import { listNamespaceContent } from '../kubernetes/namespace-content.ts';
import { objectOwnership } from '../kubernetes/ownership-labels.ts';
import type { Removal } from '../model/step-outputs.ts';
import type { Target } from '../model/target.ts';
import { fileName, fileOf, previousName, readSecret, type Secret } from '../publication/integration-secret.ts';
import type { StepContext } from '../step/contract.ts';

/** Where to look. */
interface Place {
  target: Target;
  serviceAccount: string;
}

/** A target of the same cluster that somebody still needs. */
export interface Neighbour extends Target {
  serviceAccount: string | undefined;
}

export interface Objects {
  namespace: KubernetesObject | undefined;
  role: Role | undefined;
  binding: KubernetesObject | undefined;
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

export type ObjectChange =
  | { action: 'update-role'; resource: string; path: string; role: Role }
  | { action: (typeof deletions)[Kind]['action']; resource: string; path: string };

interface Judgement {
  changes: ObjectChange[];
  kept: Removal['kept'];
  /** The namespace is on its way out. */
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

const rbacPath = (namespace: string, kind: string) =>
  `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/${kind}/${groupName}`;
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

/** `hidden` while the administrator's rights are on their way. */
export async function readObjects(kubernetes: KubernetesClient, input: Place): Promise<Objects | 'hidden'> {
  const { target, serviceAccount } = input;
  const { namespace, secretName } = target;
  try {
    const [found, role, binding, account, secret, previous, specs] = await Promise.all([
      kubernetes.get(`/api/v1/namespaces/${namespace}`),
      kubernetes.get<Role>(rbacPath(namespace, 'roles')),
      kubernetes.get(rbacPath(namespace, 'rolebindings')),
      kubernetes.get(`${corePath(namespace, 'serviceaccounts')}/${serviceAccount}`),
      readSecret(kubernetes, namespace, secretName),
      readSecret(kubernetes, namespace, previousName(target)),
      listPodSpecs(kubernetes, namespace),
    ]);
    const content = found && (await listNamespaceContent(kubernetes, namespace));
    const users = specs.filter(([, spec]) => spec.serviceAccountName === serviceAccount).map(([name]) => name);
    const mounting = specs
      .filter(([, { volumes = [] }]) => volumes.some((volume) => volume.secret?.secretName === secretName))
      .map(([name]) => name);
    const objects = { namespace: found, role, binding, serviceAccount: account, users, content };
    return { ...objects, secret, previous, mounting };
  } catch (error) {
    if (isAwsError(error, 'Unauthorized', 'Forbidden')) return 'hidden';
    throw error;
  }
}

/** Why the secret stays although we made it; undefined if nobody would miss it. */
function needingSecret({ secret, mounting }: Objects): string | undefined {
  const [first] = mounting;
  if (first) return `${first} mounts it: its file has no entry of ours any more`;
  const file = fileOf(secret);
  const parsed = file?.kind === 'decoded' ? parseIntegrationFile(file.text) : undefined;
  const isEmpty = file === undefined || (parsed?.accepted && parsed.integrations.length === 0);
  const others = Object.keys(secret?.data ?? {}).filter((name) => name !== fileName);
  return isEmpty && others.length === 0 ? undefined : 'it holds what others have put there';
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

/** Undefined where it is to be deleted. */
function reasonToKeep({ kind, object, needed }: Candidate, owner: StepContext['owner']): string | undefined {
  if (!object) return undefined;
  switch (objectOwnership(object, owner)) {
    case 'other-deployment':
      return 'another deployment made it';
    case 'foreign':
      return needed ?? `the cluster’s owner applied it; to delete it: ${commandFor(kind, object)}`;
    case 'ours':
      return needed;
  }
}

/** What becomes of the objects in the namespace, and of the namespace. */
export function judgeObjects(
  input: Place,
  neighbours: readonly Neighbour[],
  objects: Objects,
  owner: StepContext['owner'],
): Judgement {
  const { namespace, secretName } = input.target;
  const { role, users, content } = objects;
  if (objects.namespace && 'deletionTimestamp' in objects.namespace.metadata)
    return { changes: [], kept: [], pending: true, shared: false };
  const sharing = neighbours.filter((other) => other.namespace === namespace);
  const rulesLeft = withoutSecret(role?.rules ?? [], secretName);
  const [other] = [...sharing.map((neighbour) => neighbour.secretName), ...secretsOf(rulesLeft)];
  const shared = other === undefined ? undefined : `secret ${namespace}/${other} still needs it`;
  const [user] = users;
  const candidates: Candidate[] = [
    { kind: 'RoleBinding', object: objects.binding, path: rbacPath(namespace, 'rolebindings'), needed: shared },
    { kind: 'Role', object: role, path: rbacPath(namespace, 'roles'), needed: shared },
    {
      kind: 'ServiceAccount',
      object: objects.serviceAccount,
      path: `${corePath(namespace, 'serviceaccounts')}/${input.serviceAccount}`,
      needed: sharing.some(({ serviceAccount }) => serviceAccount === input.serviceAccount)
        ? shared
        : user && `${user} runs as it`,
    },
  ];
  for (const [object, needed] of [
    [objects.secret, needingSecret(objects)],
    [objects.previous, undefined],
  ] as const)
    candidates.push({
      kind: 'Secret',
      object,
      path: `${corePath(namespace, 'secrets')}/${object?.metadata.name ?? ''}`,
      needed,
    });
  const goes = candidates.filter((candidate) => candidate.object && reasonToKeep(candidate, owner) === undefined);
  const goesAlong = new Set(goes.map(({ kind, object }) => `${deletions[kind].among}/${object?.metadata.name ?? ''}`));
  const rest = content?.filter((name) => !goesAlong.has(name));
  candidates.push({
    kind: 'Namespace',
    object: objects.namespace,
    path: `/api/v1/namespaces/${namespace}`,
    needed: rest === undefined ? 'whether it is empty cannot be told' : rest[0] && `it holds ${nameSome(rest)}`,
  });

  const changes: ObjectChange[] = [];
  const kept: Removal['kept'] = [];
  if (role && shared && secretsOf(rulesLeft).length < secretsOf(role.rules ?? []).length)
    changes.push({
      action: 'update-role',
      resource: describe('Role', role),
      path: rbacPath(namespace, 'roles'),
      role: { ...role, rules: rulesLeft },
    });
  for (const candidate of candidates) {
    const { kind, object, path } = candidate;
    if (!object) continue;
    const why = reasonToKeep(candidate, owner);
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
