import { isAwsError, UserError } from '../errors/errors.ts';
import { isDeniedByPolicy } from '../errors/kubernetes-error.ts';
import { readFile, type Refused } from '../integration-file/file.ts';
import {
  decodeIntegrationFile,
  entryKey,
  findPayer,
  type IntegrationEntry,
  parseIntegrationFile,
} from '../integration-file/merge.ts';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.ts';
import { isHelmManaged, objectOwnership, ownerLabels } from '../kubernetes/ownership-labels.ts';
import { managedBy, type Owner } from '../model/ownership.ts';
import type { Target } from '../model/target.ts';
import type { Problem } from '../step/problem-list.ts';

/** The one key that Kubecost mounts. */
export const fileName = 'cloud-integration.json';

export interface Secret extends KubernetesObject {
  type?: string;
  immutable?: boolean;
  /** Base64. */
  data?: Record<string, string>;
}

const secretsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`;
export const previousName = ({ secretName }: Pick<Target, 'secretName'>) => `${secretName}-previous`;

/** On every secret we write entries into, also one that keeps its own labels: who writes them, and when they last changed (ISO 8601). */
const deploymentAnnotation = `${managedBy}/deployment-id`;
const changedAtAnnotation = `${managedBy}/entries-changed-at`;

/** Holds other clouds' credentials: never to be recorded, logged or shown. */
export function readSecret(kubernetes: KubernetesClient, namespace: string, name: string): Promise<Secret | undefined> {
  return kubernetes.get<Secret>(`${secretsPath(namespace)}/${name}`);
}

/** The file, decoded as Kubecost decodes it; undefined if there is none. */
export function fileOf(secret: Secret | undefined): { kind: 'decoded'; text: string } | Refused | undefined {
  const data = secret?.data?.[fileName];
  return data === undefined ? undefined : decodeIntegrationFile(Buffer.from(data, 'base64'));
}

/** Why the file cannot be edited whatever is to be written; undefined if it can. */
export function unreadable(secret: Secret | undefined): Problem | undefined {
  const file = fileOf(secret);
  const read = file?.kind === 'decoded' ? readFile(file.text) : file;
  return read?.kind === 'refused' ? { code: read.code, detail: read.detail } : undefined;
}

/** Keys of the payer's entries in the file. */
export function payerKeys(secret: Secret | undefined, payerAccountId: string): string[] {
  const file = fileOf(secret);
  return file?.kind === 'decoded' ? findPayer(file.text, payerAccountId).map(({ key }) => key) : [];
}

/** Whether the file has the entry, by the rules of Kubecost; a problem if Kubecost cannot read the file. */
export function entryState(secret: Secret | undefined, entry: IntegrationEntry): 'held' | 'missing' | Problem {
  const refused = unreadable(secret);
  if (refused) return refused;
  const file = fileOf(secret);
  const entries = file?.kind === 'decoded' ? findPayer(file.text, entry.payerAccountId) : [];
  return entries.some(({ key, valid }) => key === entryKey(entry) && valid) ? 'held' : 'missing';
}

/** Why the secret must not be written to, even by someone who may. */
export function unwritable(secret: Secret, us: Pick<Owner, 'deploymentId'>): Problem | undefined {
  const { name, namespace = '' } = secret.metadata;
  const detail = `Secret ${namespace}/${name}`;
  const owner = ownerOf(secret);
  if (owner) return { code: 'secret-owned-elsewhere', detail: `${detail} belongs to ${owner}` };
  const writer = secret.metadata.annotations?.[deploymentAnnotation] ?? us.deploymentId;
  if (objectOwnership(secret, us) === 'other-deployment' || writer !== us.deploymentId)
    return { code: 'owned-by-another-deployment', detail };
  return secret.immutable ? { code: 'secret-immutable', detail } : undefined;
}

/** Prefixes of the labels and annotations by which GitOps tools know their own. */
const gitOpsMarks = {
  'argocd.argoproj.io/': 'Argo CD',
  'kustomize.toolkit.fluxcd.io/': 'Flux',
  'helm.toolkit.fluxcd.io/': 'Flux',
  'reconcile.external-secrets.io/': 'External Secrets',
  'sealedsecrets.bitnami.com/': 'Sealed Secrets',
};

/** Argo CD before 3.0 marks what it applies with the label `app.kubernetes.io/instance` alone, as charts do; its field manager is its own. */
const argoFieldManager = /^argocd-/;

function ownerOf(secret: Secret): string | undefined {
  const { labels = {}, annotations = {}, ownerReferences = [], managedFields = [] } = secret.metadata;
  if (isHelmManaged(secret)) return 'Helm';
  if (managedFields.some(({ manager = '' }) => argoFieldManager.test(manager))) return 'Argo CD';
  const marks = [...Object.keys(labels), ...Object.keys(annotations)];
  const tool = Object.entries(gitOpsMarks).find(([prefix]) => marks.some((mark) => mark.startsWith(prefix)));
  const [reference] = ownerReferences;
  return tool?.[1] ?? (reference && `${reference.kind} ${reference.name}`);
}

/** The secret with this file in it and our marks on it; what else it has stays. */
export function withFile(
  secret: Secret | undefined,
  { namespace, secretName }: Pick<Target, 'namespace' | 'secretName'>,
  text: string,
  owner: Pick<Owner, 'deploymentId'>,
  changedAt: string,
): Secret {
  const { metadata } = secret ?? {
    metadata: { name: secretName, namespace, labels: ownerLabels(owner) },
  };
  const marks = { [deploymentAnnotation]: owner.deploymentId, [changedAtAnnotation]: changedAt };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    ...secret,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...marks } },
    data: { ...secret?.data, [fileName]: Buffer.from(text).toString('base64') },
  };
}

const isOurMark = (annotation: string) => annotation === deploymentAnnotation || annotation === changedAtAnnotation;

/** True if the secret says that we write into it. */
export function hasMarks({ metadata: { annotations = {} } }: Secret): boolean {
  return Object.keys(annotations).some(isOurMark);
}

/** The secret without our annotations, as its owner knows it. */
export function withoutMarks(secret: Secret): Secret {
  const others = Object.entries(secret.metadata.annotations ?? {}).filter(([name]) => !isOurMark(name));
  return { ...secret, metadata: { ...secret.metadata, annotations: Object.fromEntries(others) } };
}

/** When our entries last changed, milliseconds since the epoch; without that annotation, when the secret last changed. */
export function changedAtOf({ metadata }: Secret): number {
  const { annotations, managedFields = [], creationTimestamp } = metadata;
  const marked = Date.parse(annotations?.[changedAtAnnotation] ?? '');
  if (!Number.isNaN(marked)) return marked;
  const times = [creationTimestamp, ...managedFields.map(({ time }) => time)].map((time) => Date.parse(time ?? ''));
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}

/**
 * Creates the secret, or replaces the version that was read; false if another writer was first.
 * @throws UserError `secret-rejected`, with the message of the admission policy that denies it
 */
export function saveSecret(kubernetes: KubernetesClient, secret: Secret): Promise<boolean> {
  return save(kubernetes, secret, '');
}

/**
 * Asks the cluster whether it would take the secret from us, without writing it. A webhook with side effects cannot be asked (Kubernetes,
 * "Dry-run"): then only the write itself will tell.
 * @throws UserError `secret-rejected`
 */
export async function rehearse(kubernetes: KubernetesClient, secret: Secret): Promise<void> {
  try {
    await save(kubernetes, secret, '?dryRun=All');
  } catch (error) {
    if (!isAwsError(error, 'BadRequest') || !error.message.includes('does not support dry run')) throw error;
  }
}

async function save(kubernetes: KubernetesClient, secret: Secret, query: string): Promise<boolean> {
  const { name, namespace = '', resourceVersion } = secret.metadata;
  try {
    if (resourceVersion === undefined) await kubernetes.create(`${secretsPath(namespace)}${query}`, secret);
    else await kubernetes.replace(`${secretsPath(namespace)}/${name}${query}`, secret);
    return true;
  } catch (error) {
    if (isAwsError(error, 'AlreadyExists', 'Conflict')) return false;
    if (isDeniedByPolicy(error)) throw new UserError('secret-rejected', error.message, { cause: error });
    throw error;
  }
}

/** Why offboarding keeps a secret that we created; undefined where it can be deleted. @param mounting pods and workloads that mount it */
export function whySecretStays(secret: Secret | undefined, mounting: readonly string[]): string | undefined {
  const [first] = mounting;
  if (first) return `${first} mounts it: its file has no entry of ours any more`;
  const file = fileOf(secret);
  const parsed = file?.kind === 'decoded' ? parseIntegrationFile(file.text) : undefined;
  const isEmpty = file === undefined || (parsed?.accepted && parsed.integrations.length === 0);
  const others = Object.keys(secret?.data ?? {}).filter((name) => name !== fileName);
  return isEmpty && others.length === 0 ? undefined : 'it holds what others have put there';
}
