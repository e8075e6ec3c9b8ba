import {
  type AccessEntry,
  accessEntryPermissions,
  deleteAccessEntry,
  findAccessEntry,
} from '../../shared/cluster/access-entry.ts';
import { namespacesWithRole } from '../../shared/cluster/access-review.ts';
import {
  accessWaits,
  adminWindowPermission,
  applyWindowChange,
  closeWindow,
  isAdministrator,
} from '../../shared/cluster/admin-window.ts';
import { applyObjectChange } from '../../shared/cluster/namespace-objects.ts';
import { groupName } from '../../shared/cluster/provisioner-role.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Removal } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetId, targetOf } from '../../shared/model/target.ts';
import {
  CleanupNotes,
  type NamespaceChange,
  planCleanup,
  type SeenNamespace,
} from '../../shared/offboarding/namespace-cleanup.ts';
import { readNamespace } from '../../shared/offboarding/namespace-decisions.ts';
import { listNeighbours } from '../../shared/offboarding/neighbour-targets.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { readWindow } from '../../shared/targets/admin-windows.ts';
import { deleteTargetPayer, listTargetPayers, type TargetPayer } from '../../shared/targets/payers-of-target.ts';
import { deleteTargetSettings, readTargetSettings } from '../../shared/targets/target-settings.ts';

interface Input {
  target: Target;
  payerAccountId: string;
  principalArn: string;
  serviceAccount: string;
  clusterExists: boolean;
  /** The other namespaces in which this deployment may have a Role. */
  otherNamespaces: string[];
}

interface Observation extends SeenNamespace {
  payers: TargetPayer[];
  hasSettings: boolean;
  /** Only read for the target's last payer, while the cluster exists. */
  entry?: AccessEntry | undefined;
  /** The other namespaces in which our Role gives us rights. */
  rolesElsewhere?: string[];
}

type Change = NamespaceChange | { action: 'delete-access-entry' | 'forget-payer' | 'forget-target'; resource: string };

/** Why our access entry stays; undefined if it is to be deleted. */
function whyEntryStays({ neighbours, rolesElsewhere = [], entry }: Observation, { found }: CleanupNotes) {
  const [neighbour] = neighbours;
  if (neighbour) return `${targetId(neighbour)} still needs it`;
  const [namespace] = rolesElsewhere;
  if (namespace) return `a Role in namespace ${namespace} still relies on it`;
  if (found?.shared) return 'another secret of the namespace still needs it';
  if (entry?.ownership === 'foreign') return 'the cluster’s owner created it';
  return entry?.ownership === 'other-deployment' ? 'another deployment created it' : undefined;
}

/**
 * Removes our access to the cluster, last of all. Only an administrator may delete what is in the namespace: we become one for as long as it
 * takes, as in cluster-access. Where we may not, it stays, with the command for the cluster's owner.
 */
export const removeAccess = defineStep<'remove-access', Input, Observation, Change, CleanupNotes>({
  name: 'remove-access',
  summary:
    'Gives up our rights in the cluster with its last payer: Role, binding, an empty namespace of ours, access entry.',
  lease: 'target',
  notes: CleanupNotes,
  permissions: {
    table: ['DeleteItem', 'GetItem', 'PutItem', 'Query'],
    cluster: [accessEntryPermissions.read, adminWindowPermission, accessEntryPermissions.remove],
    kubernetes: [],
  },
  waits: { ...accessWaits, 'namespace-stuck': { seconds: 10, longestSeconds: 300 } },

  input(cx): Input {
    const { request } = cx.run;
    const target = targetOf(request);
    const { cluster, serviceAccount } = outputOf(cx.run, 'inventory');
    return {
      target,
      payerAccountId: request.payerAccountId,
      principalArn: cx.cluster.provisionerArn,
      serviceAccount,
      clusterExists: cluster !== null,
      otherNamespaces: cx.deployment.allowedNamespaces.filter((name) => name !== target.namespace),
    };
  },

  async observe(cx, input): Promise<Observation> {
    const { target, payerAccountId, clusterExists, otherNamespaces } = input;
    const [payers, settings, neighbours, window] = await Promise.all([
      listTargetPayers(target),
      readTargetSettings(target),
      listNeighbours(target),
      readWindow(target.clusterArn),
    ]);
    const seen: Observation = { payers, hasSettings: settings !== undefined, neighbours, window };
    if (!clusterExists || payers.some((payer) => payer.payerAccountId !== payerAccountId)) return seen;
    const entry = await findAccessEntry(cx);
    if (!entry) return seen;
    const [roles, admin] = await Promise.all([
      namespacesWithRole(cx.kubernetes, [target.namespace, ...otherNamespaces]),
      isAdministrator(cx),
    ]);
    const mayRead = admin && (window === undefined || window.runId === cx.run.runId);
    return {
      ...seen,
      entry,
      roleHere: roles.includes(target.namespace),
      rolesElsewhere: roles.filter((name) => name !== target.namespace),
      admin,
      ...(mayRead && { objects: await readNamespace(cx.kubernetes, input) }),
    };
  },

  plan(input, seen, situation): Plan<Change, Outputs['remove-access'], CleanupNotes> {
    const { run, changes: made, notes } = situation;
    const { target, payerAccountId, principalArn, clusterExists } = input;
    const { payers, entry, window } = seen;
    const others = payers.filter((payer) => payer.payerAccountId !== payerAccountId);
    const kept: Removal['kept'] = [...(notes.found?.kept ?? [])];
    const changes: Change[] = [];
    if (others.length > 0)
      kept.push({ resource: `Role ${target.namespace}/${groupName}`, why: `${others.length} other payers need it` });
    if (others.length > 0 && window?.runId === run.runId) changes.push(closeWindow(target.clusterArn, window));
    if (entry) {
      const cleanup = planCleanup({ place: input, seen, situation });
      if (cleanup && (cleanup.kind !== 'change' || !run.request.dryRun)) return cleanup;
      if (cleanup?.kind === 'change') changes.push(...cleanup.changes);
      const why = whyEntryStays(seen, notes);
      if (why === undefined) changes.push({ action: 'delete-access-entry', resource: principalArn });
      else kept.push({ resource: `access entry of ${principalArn}`, why });
    }
    const resource = targetId(target);
    if (payers.length > others.length) changes.push({ action: 'forget-payer', resource });
    if (others.length === 0 && seen.hasSettings) changes.push({ action: 'forget-target', resource });
    const unchecked = clusterExists && !entry && others.length === 0 && !made.length;
    const warning = `Our role has no access entry, so namespace ${target.namespace} was not checked for leftovers`;
    return changesOrReady(changes, {
      output: removalOf(made, kept),
      expected: removalOf(made, kept, changes),
      warnings: unchecked ? [warning] : [],
    });
  },

  async apply(cx, change, { input }) {
    const { target, payerAccountId } = input;
    if ('path' in change) {
      const { resource } = change;
      return applyObjectChange(cx.kubernetes, change, (why) => ({ denied: { kept: [{ resource, why }] } }));
    }
    switch (change.action) {
      case 'delete-access-entry':
        await deleteAccessEntry(cx);
        return 'changed';
      case 'forget-payer':
        await deleteTargetPayer(target, payerAccountId);
        return 'bookkeeping';
      case 'forget-target':
        await deleteTargetSettings(target);
        return 'bookkeeping';
      case 'open-admin-window':
      case 'close-admin-window':
        return applyWindowChange(cx, change);
    }
  },
});

export const handler = stepHandler(removeAccess);
