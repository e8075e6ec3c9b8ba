import { accessEntryPermissions, createAccessEntry, findAccessEntry } from '../../shared/cluster/access-entry.ts';
import {
  type AccessChange,
  type AccessInput,
  AccessNotes,
  type AccessObservation,
  planAccess,
} from '../../shared/cluster/access-plan.ts';
import { missingRights } from '../../shared/cluster/access-review.ts';
import {
  accessWaits,
  adminWindowPermission,
  applyWindowChange,
  isAdministrator,
} from '../../shared/cluster/admin-window.ts';
import {
  applyObjectChange,
  pathOf,
  readAsAdministrator,
  readNamespaceObjects,
} from '../../shared/cluster/namespace-objects.ts';
import { coveredNames, groupName, rules, rulesFor } from '../../shared/cluster/provisioner-role.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import { defineStep } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { readWindow } from '../../shared/targets/admin-windows.ts';

/**
 * Our access to the cluster: an access entry, and a Role in the one namespace that gives its Kubernetes group the rights. Where
 * these objects are missing we are administrator for as long as it takes to create them.
 */
export const clusterAccess = defineStep<'cluster-access', AccessInput, AccessObservation, AccessChange, AccessNotes>({
  name: 'cluster-access',
  summary: 'Gives our role the rights it needs in the cluster’s namespace, and no others.',
  lease: 'target',
  notes: AccessNotes,
  permissions: {
    table: ['DeleteItem', 'GetItem', 'PutItem'],
    cluster: [
      accessEntryPermissions.create,
      accessEntryPermissions.tag,
      accessEntryPermissions.read,
      adminWindowPermission,
    ],
    kubernetes: [rules.namespace],
  },
  waits: accessWaits,

  input(cx) {
    const { namespace, secretName, createNamespace } = cx.run.request.kubecost;
    const covered = coveredNames(cx.run);
    return {
      clusterArn: clusterArnOf(cx.run.request),
      principalArn: cx.cluster.provisionerArn,
      namespace,
      namespaceAllowed: cx.deployment.allowedNamespaces.includes(namespace),
      createNamespace,
      covered,
      rules: rulesFor({ namespace, secretName, ...covered }),
    };
  },

  async observe(cx, input) {
    const { clusterArn, namespace, createNamespace } = input;
    const [entry, window] = await Promise.all([findAccessEntry(cx), readWindow(clusterArn)]);
    if (!entry?.groups.includes(groupName)) return { entry, window };
    const kubernetes = cx.kubernetes;
    const marked = window !== undefined && (await isAdministrator(cx));
    const missing = marked ? undefined : await missingRights(kubernetes, input);
    if (missing && (missing === 'unknown' || missing.length === 0)) return { entry, window, missing };
    const admin = marked || (await isAdministrator(cx));
    // What we may not read may exist: then only an administrator can.
    const found = createNamespace || (await readAsAdministrator(() => kubernetes.get(pathOf('Namespace', namespace))));
    return {
      entry,
      window,
      ...(missing && { missing }),
      namespaceExists: found !== undefined,
      admin,
      ...(admin && { objects: await readAsAdministrator(() => readNamespaceObjects(kubernetes, namespace)) }),
    };
  },

  plan: planAccess,

  async apply(cx, change) {
    if ('path' in change)
      return applyObjectChange(cx.kubernetes, change, (detail) => ({ refused: { code: 'admission-denied', detail } }));
    if (change.action !== 'create-access-entry') return applyWindowChange(cx, change);
    await createAccessEntry(cx);
    return 'changed';
  },
});

export const handler = stepHandler(clusterAccess);
