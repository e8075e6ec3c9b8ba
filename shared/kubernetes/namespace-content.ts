import * as z from 'zod';
import { KubernetesError } from '../errors/kubernetes-error.ts';
import type { KubernetesClient, KubernetesObject } from './client.ts';

/** What Kubernetes itself puts into every namespace, and what it notes there of everything that happens. */
const unasked = new Set(['serviceaccounts/default', 'configmaps/kube-root-ca.crt']);
const notes = new Set(['events', 'events.events.k8s.io']);

/** Enough to recognize a namespace that has no objects but ours. */
const mostOfAKind = 20;

const ApiGroups = z.object({
  groups: z.array(z.object({ versions: z.array(z.object({ groupVersion: z.string() })) })),
});
const ApiResources = z.object({
  resources: z.array(z.object({ name: z.string(), namespaced: z.boolean(), verbs: z.array(z.string()) })),
});

/** `/api/v1`, `/apis/apps/v1`, ...: every version, for a group may have a kind in one of them only. */
async function groupVersions(kubernetes: KubernetesClient): Promise<string[]> {
  const { groups } = ApiGroups.parse(JSON.parse(await kubernetes.read('/apis')));
  return ['/api/v1', ...groups.flatMap(({ versions }) => versions.map(({ groupVersion }) => `/apis/${groupVersion}`))];
}

async function namesIn(kubernetes: KubernetesClient, namespace: string, path: string): Promise<string[]> {
  const { resources } = ApiResources.parse(JSON.parse(await kubernetes.read(path)));
  const [, group = ''] = /^\/apis\/([^/]+)\//.exec(path) ?? [];
  const kinds = resources
    .filter(({ name, namespaced, verbs }) => namespaced && verbs.includes('list') && !name.includes('/'))
    .map(({ name }) => ({ name, qualified: group === '' ? name : `${name}.${group}` }))
    .filter(({ qualified }) => !notes.has(qualified));
  const listed = await Promise.all(
    kinds.map(async ({ name, qualified }) => {
      const objects = await kubernetes.list<KubernetesObject>(
        `${path}/namespaces/${namespace}/${name}?limit=${mostOfAKind}`,
      );
      return objects.map(({ metadata }) => `${qualified}/${metadata.name}`);
    }),
  );
  return listed.flat();
}

/**
 * Everything somebody put into the namespace, as `<resource>.<group>/<name>`, of every kind that the API server knows; undefined where
 * one of them cannot be listed: an API behind the API server does not answer. Needs the administrator's rights.
 */
export async function listNamespaceContent(
  kubernetes: KubernetesClient,
  namespace: string,
): Promise<string[] | undefined> {
  try {
    const paths = await groupVersions(kubernetes);
    const names = await Promise.all(paths.map((path) => namesIn(kubernetes, namespace, path)));
    return [...new Set(names.flat())].filter((name) => !unasked.has(name)).sort();
  } catch (error) {
    const isAnswer = error instanceof KubernetesError && !['Unauthorized', 'Forbidden'].includes(error.name);
    if (isAnswer) return undefined;
    throw error;
  }
}
