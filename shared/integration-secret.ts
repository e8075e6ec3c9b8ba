import { decodeIntegrationFile } from './cloud-integration.ts';
import { readFile, type Refused } from './cloud-integration-file.ts';
import type { Owner } from './aws/tags.ts';
import type { ErrorCode } from './error-catalogue.ts';
import type { KubernetesClient, KubernetesObject } from './kubernetes.ts';
import { isHelmManaged, objectOwnership } from './kubernetes-owner.ts';
import type { Target } from './run.ts';

/** The one key that the consumer mounts. */
export const fileName = 'cloud-integration.json';

export interface Secret extends KubernetesObject {
  type?: string;
  immutable?: boolean;
  /** Base64. */
  data?: Record<string, string>;
}

export const secretsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`;
export const previousName = ({ secretName }: Pick<Target, 'secretName'>) => `${secretName}-previous`;

/** Holds other clouds' credentials: never to be recorded, logged or shown. */
export function readSecret(kubernetes: KubernetesClient, namespace: string, name: string): Promise<Secret | undefined> {
  return kubernetes.get<Secret>(`${secretsPath(namespace)}/${name}`);
}

/** The file as the consumer would take it; undefined if there is none. */
export function fileOf(secret: Secret | undefined): { kind: 'decoded'; text: string } | Refused | undefined {
  const data = secret?.data?.[fileName];
  return data === undefined ? undefined : decodeIntegrationFile(Buffer.from(data, 'base64'));
}

export interface Refusal {
  code: ErrorCode;
  detail: string;
}

/** Why the file cannot be edited whatever is to be written; undefined if it can. */
export function unreadable(secret: Secret | undefined): Refusal | undefined {
  const file = fileOf(secret);
  const read = file?.kind === 'decoded' ? readFile(file.text) : file;
  return read?.kind === 'refused' ? { code: read.code, detail: read.detail } : undefined;
}

/** Why the secret must not be written to, even by someone who may. */
export function unwritable(secret: Secret, us: Pick<Owner, 'deploymentId'>): Refusal | undefined {
  const { name, namespace = '' } = secret.metadata;
  const detail = `Secret ${namespace}/${name}`;
  const owner = ownerOf(secret);
  if (owner) return { code: 'secret-owned-elsewhere', detail: `${detail} belongs to ${owner}` };
  if (objectOwnership(secret, us) === 'other-deployment') return { code: 'owned-by-another-deployment', detail };
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

function ownerOf(secret: Secret): string | undefined {
  const { labels = {}, annotations = {}, ownerReferences = [] } = secret.metadata;
  if (isHelmManaged(secret)) return 'Helm';
  const marks = [...Object.keys(labels), ...Object.keys(annotations)];
  const tool = Object.entries(gitOpsMarks).find(([prefix]) => marks.some((mark) => mark.startsWith(prefix)));
  const [reference] = ownerReferences;
  return tool?.[1] ?? (reference && `${reference.kind} ${reference.name}`);
}
