import { DeleteAccessEntryCommand, EKSClient } from '@aws-sdk/client-eks';
import * as z from 'zod';
import { deleteTagged } from '../../shared/aws/delete-tagged.ts';
import { taggedOurs } from '../../shared/aws/tags.ts';
import { type AccessEntry, findAccessEntry } from '../../shared/cluster/access-entry.ts';
import { rulesIn } from '../../shared/cluster/access-review.ts';
import { closeAdminWindow, hasAdminPolicy, openAdminWindow } from '../../shared/cluster/admin-window.ts';
import { givesRight, groupName } from '../../shared/cluster/provisioner-role.ts';
import { absentIf, isAwsError, isKnownError, RetryableError } from '../../shared/errors/errors.ts';
import { isDeniedByPolicy } from '../../shared/errors/kubernetes-error.ts';
import type { KubernetesClient } from '../../shared/kubernetes/client.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Removal } from '../../shared/model/step-outputs.ts';
import { targetId } from '../../shared/model/target.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import {
  judgeObjects,
  type Neighbour,
  type ObjectChange,
  type Objects,
  readObjects,
} from '../../shared/offboarding/namespace-objects.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import {
  type Applied,
  defineStep,
  type Plan,
  type Situation,
  type StepContext,
  type Wait,
} from '../../shared/step/contract.ts';
import { changesOrReady, queueWait, waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { type AdminWindow, readWindow } from '../../shared/targets/admin-windows.ts';
import {
  deleteTargetPayer,
  listTargetPayers,
  needsTarget,
  type TargetPayer,
} from '../../shared/targets/payers-of-target.ts';
import { deleteTargetSettings, listOtherTargets, readTargetSettings } from '../../shared/targets/target-settings.ts';

interface Input {
  target: Target;
  payerAccountId: string;
  clusterName: string;
  clusterAccountId: string;
  region: string;
  principalArn: string;
  serviceAccount: string;
  clusterExists: boolean;
  /** The other namespaces in which this deployment may have a Role. */
  otherNamespaces: string[];
}

interface Observation {
  payers: TargetPayer[];
  hasSettings: boolean;
  neighbours: Neighbour[];
  window: AdminWindow | undefined;
  /** Only read for the target's last payer, while the cluster exists. */
  entry?: AccessEntry | undefined;
  /** Whether our Role gives us rights in the target's namespace, and in which others. */
  roleHere?: boolean;
  rolesElsewhere?: string[];
  admin?: boolean;
  /** As the administrator sees them; `hidden` while that right has not taken effect. */
  objects?: Objects | 'hidden';
}

type Change =
  | { action: 'open-admin-window'; resource: string; note: string; otherwise: Removal['kept'] }
  /** `runId`: the run that opened the window; absent where we are administrator without a window. `found` is noted once it is closed. */
  | {
      action: 'close-admin-window';
      resource: string;
      runId: string | undefined;
      found?: Omit<Found, 'at'>;
    }
  | ObjectChange
  | { action: 'delete-access-entry' | 'forget-payer' | 'forget-target'; resource: string };

const Kept = z.array(z.object({ resource: z.string(), why: z.string() }));

/** What the administrator has found in the namespace, or that we may not become administrator. */
const Found = z.object({
  /** Milliseconds since the epoch. */
  at: z.number(),
  kept: Kept,
  /** Kubernetes is deleting the namespace: it has to be checked again. */
  pending: z.boolean(),
  /** Another secret of the namespace needs the Role. */
  shared: z.boolean(),
});
type Found = z.infer<typeof Found>;

const Notes = z.object({
  found: Found.optional().catch(undefined),
  /** `kept`: first the object whose deletion a policy of the cluster has denied. */
  denied: z.object({ kept: Kept }).optional().catch(undefined),
});
type Notes = z.infer<typeof Notes>;

type AccessPlan = Plan<Change, Outputs['remove-access'], Notes>;
type AccessSituation = Situation<'offboarding', Notes>;

/** Longer than any invocation: no run works in an older window. */
const staleWindowMs = 10 * 60_000;
/** Kubernetes takes some seconds to delete an empty namespace. */
const namespaceSeconds = 10;

const accessEntry =
  'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:access-entry/${Cluster}/role/${AWS::AccountId}/${ProvisionerName}/*';

async function listNeighbours(target: Target): Promise<Neighbour[]> {
  const others = await listOtherTargets(target);
  const neighbours = await Promise.all(
    others.map(async (other) => {
      const [payers, settings] = await Promise.all([listTargetPayers(other), readTargetSettings(other)]);
      return payers.some(needsTarget) ? [{ ...other, serviceAccount: settings?.serviceAccount }] : [];
    }),
  );
  return neighbours.flat();
}

/** Where our Role is, by the rights we have: the table may have been emptied. */
async function findRoles(kubernetes: KubernetesClient, namespaces: string[]): Promise<string[]> {
  const found = await Promise.all(
    namespaces.map(async (namespace) => {
      const rules = await rulesIn(kubernetes, namespace);
      const isThere = givesRight(rules, { group: '', resource: 'namespaces', verb: 'get', name: namespace });
      return isThere ? [namespace] : [];
    }),
  );
  return found.flat();
}

function waitWithNothing(wait: Wait): AccessPlan {
  return waitFor(wait, { removed: [], kept: [] });
}

/** The objects in the cluster, which only an administrator may delete. Undefined once that is done. */
function planObjects(input: Input, seen: Observation, situation: AccessSituation): AccessPlan | undefined {
  const { run, now, owner, changes: made, notes } = situation;
  const { clusterArn, namespace } = input.target;
  const { window, admin, objects } = seen;
  const { found, denied } = notes;
  if (found && !found.pending && !window) return undefined;
  const change = (...changes: [Change, ...Change[]]): AccessPlan => ({
    kind: 'change',
    changes,
    expected: removalOf(made, [], changes),
  });
  const closing = { action: 'close-admin-window', resource: clusterArn, runId: window?.runId } as const;
  if (window && window.runId !== run.runId)
    return now - window.openedAt > staleWindowMs
      ? change(closing)
      : waitWithNothing(
          queueWait(`run ${window.runId} to give up the cluster administrator’s rights`, {
            seconds: 5,
            deadlineSeconds: 900,
          }),
        );
  if (found?.pending && !window && now - found.at < namespaceSeconds * 1000)
    return waitWithNothing({
      reason: `Kubernetes to delete namespace ${namespace}`,
      seconds: namespaceSeconds,
      deadlineSeconds: 300,
      overdue: 'namespace-stuck',
    });
  if (!admin) {
    const role = `Role ${namespace}/${groupName}`;
    const why = `we may not become the cluster’s administrator; to delete it: kubectl delete rolebinding,role ${groupName} --namespace ${namespace}`;
    const note = `to find and delete what runs created in namespace ${namespace}`;
    const otherwise = seen.roleHere ? [{ resource: role, why }] : [];
    return change({ action: 'open-admin-window', resource: clusterArn, note, otherwise });
  }
  if (!objects || objects === 'hidden')
    return waitWithNothing({
      reason: 'the administrator’s rights to take effect',
      seconds: 5,
      deadlineSeconds: 180,
      overdue: 'cluster-rights-missing',
    });
  const { changes, ...outcome } = judgeObjects(input, seen.neighbours, objects, owner);
  if (denied) {
    const kept = [...outcome.kept, ...keptByDenial(denied.kept, changes)];
    return change({ ...closing, found: { ...outcome, kept, pending: false } });
  }
  const last = { ...closing, found: outcome };
  const [first, ...more] = changes;
  return first ? change(first, ...more, last) : change(last);
}

/** One denied deletion keeps everything that was to be deleted after it. */
function keptByDenial(denied: Removal['kept'], changes: readonly ObjectChange[]): Removal['kept'] {
  const [cause] = denied;
  const others = changes.filter(({ resource }) => denied.every((one) => one.resource !== resource));
  return [
    ...denied,
    ...others.map(({ resource }) => ({ resource, why: `${cause?.resource ?? ''} could not be deleted` })),
  ];
}

/** Why our access entry stays. */
function reasonToKeepEntry({ neighbours, rolesElsewhere = [], entry }: Observation, found: Found | undefined) {
  const [neighbour] = neighbours;
  if (neighbour) return `${targetId(neighbour)} still needs it`;
  const [namespace] = rolesElsewhere;
  if (namespace) return `a Role in namespace ${namespace} still relies on it`;
  if (found?.shared) return 'another secret of the namespace still needs it';
  if (entry?.ownership === 'foreign') return 'the cluster’s owner made it';
  return entry?.ownership === 'other-deployment' ? 'another deployment made it' : undefined;
}

/**
 * Removes our access to the cluster, last of all. Only an administrator may delete what is in the namespace: we become one for as long as it
 * takes, as in cluster-access. Where we may not, it stays, with the command for the cluster's owner.
 */
export const removeAccess = defineStep<'remove-access', Input, Observation, Change, Notes>({
  name: 'remove-access',
  summary:
    'Gives up our rights in the cluster with its last payer: Role, binding, an empty namespace of ours, access entry.',
  lease: 'target',
  notes: Notes,
  permissions: {
    table: ['DeleteItem', 'GetItem', 'PutItem', 'Query'],
    cluster: [
      {
        actions: [
          'eks:DescribeAccessEntry',
          'eks:ListAssociatedAccessPolicies',
          'eks:AssociateAccessPolicy',
          'eks:DisassociateAccessPolicy',
        ],
        resources: [accessEntry],
      },
      { actions: ['eks:DeleteAccessEntry'], resources: [accessEntry], condition: taggedOurs },
    ],
    kubernetes: [],
  },

  input(cx): Input {
    const { request } = cx.run;
    const target = targetOf(request);
    const { cluster, serviceAccount } = outputOf(cx.run, 'inventory');
    return {
      target,
      payerAccountId: request.payerAccountId,
      clusterName: request.cluster.name,
      clusterAccountId: request.cluster.accountId,
      region: request.cluster.region,
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
    const kubernetes = cx.kubernetes;
    const [roles, admin] = await Promise.all([
      findRoles(kubernetes, [target.namespace, ...otherNamespaces]),
      hasAdminPolicy(cx.cluster, input),
    ]);
    const looks = admin && (window ?? { runId: cx.run.runId }).runId === cx.run.runId;
    return {
      ...seen,
      entry,
      roleHere: roles.includes(target.namespace),
      rolesElsewhere: roles.filter((name) => name !== target.namespace),
      admin,
      ...(looks && { objects: await readObjects(kubernetes, input) }),
    };
  },

  plan(input, seen, situation): AccessPlan {
    const { run, changes: made, notes } = situation;
    const { target, payerAccountId, principalArn, clusterExists } = input;
    const { payers, entry } = seen;
    const others = payers.filter((payer) => payer.payerAccountId !== payerAccountId);
    const { found } = notes;
    const kept: Removal['kept'] = [...(found?.kept ?? [])];
    const changes: Change[] = [];
    if (others.length > 0)
      kept.push({ resource: `Role ${target.namespace}/${groupName}`, why: `${others.length} other payers need it` });
    if (others.length > 0 && seen.window?.runId === run.runId)
      changes.push({ action: 'close-admin-window', resource: target.clusterArn, runId: run.runId });
    if (entry) {
      const objects = planObjects(input, seen, situation);
      if (objects && (objects.kind !== 'change' || !run.request.dryRun)) return objects;
      if (objects?.kind === 'change') changes.push(...objects.changes);
      const why = reasonToKeepEntry(seen, found);
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
    const { target, clusterName, clusterAccountId, region, principalArn, payerAccountId } = input;
    const window = { clusterAccountId, region, clusterName, principalArn, runId: cx.run.runId, openedAt: cx.now };
    switch (change.action) {
      case 'open-admin-window':
        return open(cx, change, target, window);
      case 'close-admin-window': {
        const { runId } = change;
        if (runId !== undefined) await closeAdminWindow(cx.cluster, target.clusterArn, { ...window, runId });
        const outcome = runId === undefined ? 'bookkeeping' : 'changed';
        return change.found ? { outcome, notes: { found: { ...change.found, at: cx.now } } } : outcome;
      }
      case 'update-role':
        return asAdministrator(change.resource, () => cx.kubernetes.replace(change.path, change.role));
      case 'delete-role':
      case 'delete-role-binding':
      case 'delete-service-account':
      case 'delete-secret':
      case 'delete-namespace':
        return asAdministrator(change.resource, () => cx.kubernetes.delete(change.path));
      case 'delete-access-entry':
        await deleteTagged(
          () =>
            absentIf(['ResourceNotFoundException'], () =>
              cx.cluster.client(EKSClient, region).send(new DeleteAccessEntryCommand({ clusterName, principalArn })),
            ),
          async () => (await findAccessEntry(cx))?.ownership !== 'ours',
        );
        return 'changed';
      case 'forget-payer':
        await deleteTargetPayer(target, payerAccountId);
        return 'bookkeeping';
      case 'forget-target':
        await deleteTargetSettings(target);
        return 'bookkeeping';
    }
  },
});

/** An account that does not let us become administrator keeps what only an administrator may delete. */
async function open(
  cx: StepContext<'offboarding'>,
  { note, otherwise }: Extract<Change, { action: 'open-admin-window' }>,
  { clusterArn }: Target,
  window: AdminWindow,
): Promise<Applied<Notes>> {
  try {
    await openAdminWindow(cx.cluster, clusterArn, window, note);
    return 'changed';
  } catch (error) {
    if (!isKnownError(error) || error.code !== 'cluster-setup-denied') throw error;
    const found = { kept: otherwise, pending: false, shared: false, at: cx.now };
    return { outcome: 'not-changed', notes: { found } };
  }
}

/** A policy's denial is final. The API server's own denial is not: another replica may not know the right yet. */
async function asAdministrator(resource: string, write: () => Promise<unknown>): Promise<Applied<Notes>> {
  try {
    await write();
    return 'changed';
  } catch (error) {
    if (isDeniedByPolicy(error))
      return { outcome: 'not-changed', notes: { denied: { kept: [{ resource, why: error.message }] } } };
    if (!isAwsError(error, 'Forbidden', 'Conflict')) throw error;
    throw new RetryableError('cluster-rights-missing', error.message, { cause: error });
  }
}

export const handler = stepHandler(removeAccess);
