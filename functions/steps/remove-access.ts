import { DeleteAccessEntryCommand, EKSClient } from '@aws-sdk/client-eks';
import * as z from 'zod';
import { deleteTagged } from '../../shared/aws/delete-tagged.ts';
import { taggedOurs } from '../../shared/aws/tags.ts';
import { type AccessEntry, findAccessEntry } from '../../shared/cluster/access-entry.ts';
import { rulesIn } from '../../shared/cluster/access-review.ts';
import { closeAdminWindow, hasAdminPolicy, openAdminWindow } from '../../shared/cluster/admin-window.ts';
import { connectKubernetes } from '../../shared/cluster/connection.ts';
import { givesRight, groupName } from '../../shared/cluster/provisioner-role.ts';
import type { ErrorCode } from '../../shared/errors/catalogue.ts';
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
import { defineStep, type Plan, rejected, type Situation, type StepContext } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { type AdminWindow, readWindow } from '../../shared/targets/admin-windows.ts';
import {
  deleteTargetPayer,
  listTargetPayers,
  needsTarget,
  type TargetPayer,
} from '../../shared/targets/target-payers.ts';
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

interface Seen {
  payers: TargetPayer[];
  hasSettings: boolean;
  neighbours: Neighbour[];
  window: AdminWindow | undefined;
  /** Only looked at for the target's last payer, while the cluster exists. */
  entry?: AccessEntry | undefined;
  /** Whether our Role gives us rights in the target's namespace, and in which others. */
  roleHere?: boolean;
  rolesElsewhere?: string[];
  admin?: boolean;
  /** As the administrator sees them; `hidden` while that right is on its way. */
  objects?: Objects | 'hidden';
}

type Change =
  | { do: 'open-admin-window'; resource: string; note: string; otherwise: Removal['kept'] }
  /** `runId`: whose window; absent where we are administrator without having opened one. */
  | {
      do: 'close-admin-window';
      resource: string;
      runId: string | undefined;
      found?: Pick<Found, 'kept' | 'pending' | 'shared'>;
    }
  | ObjectChange
  | { do: 'delete-access-entry' | 'forget-payer' | 'forget-target'; resource: string };

/** What the look as administrator came to, or that there is none to be had. */
const Found = z.object({
  attempt: z.int(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  kept: z.array(z.object({ resource: z.string(), why: z.string() })),
  /** The namespace is on its way out: look again. */
  pending: z.boolean(),
  /** Another secret of the namespace needs the Role. */
  shared: z.boolean(),
});
type Found = z.infer<typeof Found>;

const Denied = z.object({ attempt: z.int(), kept: Found.shape.kept });

type AccessPlan = Plan<Change, Outputs['remove-access']>;

/** Longer than any invocation: nobody is working in an older window. */
const staleWindowMs = 10 * 60_000;
/** An empty namespace takes Kubernetes some seconds. */
const namespaceSeconds = 10;

const accessEntry =
  'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:access-entry/${Cluster}/role/${AWS::AccountId}/${ProvisionerName}/*';

function foundOf({ run, memo }: Pick<StepContext<'offboarding'>, 'run' | 'memo'>): Found | undefined {
  const found = Found.safeParse(memo.found).data;
  return found?.attempt === run.attempt ? found : undefined;
}

/** What a policy of the cluster would not let us delete in this attempt. */
function deniedOf({ run, memo }: Pick<StepContext<'offboarding'>, 'run' | 'memo'>): Removal['kept'] {
  const denied = Denied.safeParse(memo.denied).data;
  return denied?.attempt === run.attempt ? denied.kept : [];
}

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

/** The table may have been emptied; the rights we have tell where our Role is. */
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

function wait(reason: string, seconds: number, deadlineSeconds: number, overdue: ErrorCode): AccessPlan {
  return { kind: 'wait', reason, seconds, deadlineSeconds, overdue, expected: { removed: [], kept: [] } };
}

/** The objects in the cluster, which only an administrator may delete. Undefined once that is done. */
function planObjects(input: Input, seen: Seen, situation: Situation<'offboarding'>): AccessPlan | undefined {
  const { run, now, owner, changes: made } = situation;
  const { clusterArn, namespace } = input.target;
  const { window, admin, objects } = seen;
  const found = foundOf(situation);
  if (found && !found.pending && !window) return undefined;
  const change = (...changes: [Change, ...Change[]]): AccessPlan => ({
    kind: 'change',
    changes,
    expected: removalOf(made, [], changes),
  });
  const closing = { do: 'close-admin-window', resource: clusterArn, runId: window?.runId } as const;
  if (window && window.runId !== run.runId)
    return now - window.openedAt > staleWindowMs
      ? change(closing)
      : wait(`run ${window.runId} to finish as the cluster’s administrator`, 5, 900, 'cluster-rights-missing');
  if (found?.pending && !window && now - found.at < namespaceSeconds * 1000)
    return wait(`namespace ${namespace} to be gone`, namespaceSeconds, 300, 'namespace-stuck');
  if (!admin) {
    const role = `Role ${namespace}/${groupName}`;
    const why = `we may not become the cluster’s administrator; to delete it: kubectl delete rolebinding,role ${groupName} --namespace ${namespace}`;
    const note = `to look for what runs made in namespace ${namespace}, and to delete it`;
    const otherwise = seen.roleHere ? [{ resource: role, why }] : [];
    return change({ do: 'open-admin-window', resource: clusterArn, note, otherwise });
  }
  if (!objects || objects === 'hidden')
    return wait('the administrator’s rights to take effect', 5, 180, 'cluster-rights-missing');
  const { changes, ...outcome } = judgeObjects(input, seen.neighbours, objects, owner);
  const last = { ...closing, found: outcome };
  const [first, ...more] = changes;
  return first ? change(first, ...more, last) : change(last);
}

/** Why our way into the cluster stays. */
function reasonToKeepEntry({ neighbours, rolesElsewhere = [], entry }: Seen, found: Found | undefined) {
  const [neighbour] = neighbours;
  if (neighbour) return `${targetId(neighbour)} still needs it`;
  const [namespace] = rolesElsewhere;
  if (namespace) return `a Role in namespace ${namespace} still counts on it`;
  if (found?.shared) return 'another secret of the namespace still needs it';
  if (entry?.ownership === 'foreign') return 'the cluster’s owner made it';
  return entry?.ownership === 'other-deployment' ? 'another deployment made it' : undefined;
}

/**
 * Our way into the cluster in reverse, last of all. What lies in the namespace only an administrator may delete: we are that for as long as it
 * takes, as cluster-access was; where we may not, it stays, with the command for the cluster's owner.
 */
export const removeAccess = defineStep<'remove-access', Input, Seen, Change>({
  name: 'remove-access',
  summary:
    'Gives up our rights in the cluster with its last payer: Role, binding, an empty namespace of ours, access entry.',
  lease: 'target',
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

  async observe(cx, input): Promise<Seen> {
    const { target, payerAccountId, clusterExists, otherNamespaces } = input;
    const [payers, settings, neighbours, window] = await Promise.all([
      listTargetPayers(target),
      readTargetSettings(target),
      listNeighbours(target),
      readWindow(target.clusterArn),
    ]);
    const seen: Seen = { payers, hasSettings: settings !== undefined, neighbours, window };
    if (!clusterExists || payers.some((payer) => payer.payerAccountId !== payerAccountId)) return seen;
    const entry = await findAccessEntry(cx);
    if (!entry) return seen;
    const kubernetes = connectKubernetes(cx);
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
    const { run, changes: made } = situation;
    const { target, payerAccountId, principalArn, clusterExists } = input;
    const { payers, entry } = seen;
    const others = payers.filter((payer) => payer.payerAccountId !== payerAccountId);
    const found = foundOf(situation);
    const kept: Removal['kept'] = [...(found?.kept ?? [])];
    const changes: Change[] = [];
    if (others.length > 0)
      kept.push({ resource: `Role ${target.namespace}/${groupName}`, why: `${others.length} other payers need it` });
    if (others.length > 0 && seen.window?.runId === run.runId)
      changes.push({ do: 'close-admin-window', resource: target.clusterArn, runId: run.runId });
    if (entry) {
      const objects = planObjects(input, seen, situation);
      if (objects && (objects.kind !== 'change' || !run.request.dryRun)) return objects;
      if (objects?.kind === 'change') changes.push(...objects.changes);
      const why = reasonToKeepEntry(seen, found);
      if (why === undefined) changes.push({ do: 'delete-access-entry', resource: principalArn });
      else kept.push({ resource: `access entry of ${principalArn}`, why });
    }
    const resource = targetId(target);
    if (payers.length > others.length) changes.push({ do: 'forget-payer', resource });
    if (others.length === 0 && seen.hasSettings) changes.push({ do: 'forget-target', resource });
    const [first, ...more] = changes;
    if (first) return { kind: 'change', changes: [first, ...more], expected: removalOf(made, kept, changes) };
    const blind = clusterExists && !entry && others.length === 0 && !made.length;
    const warning = `the cluster knows our role no more: what may be left in namespace ${target.namespace} was not looked for`;
    return { kind: 'ready', output: removalOf(made, kept), warnings: blind ? [warning] : [] };
  },

  async apply(cx, change, input) {
    const { target, clusterName, clusterAccountId, region, principalArn, payerAccountId } = input;
    const window = { clusterAccountId, region, clusterName, principalArn, runId: cx.run.runId, openedAt: cx.now };
    switch (change.do) {
      case 'open-admin-window':
        return open(cx, change, target, window);
      case 'close-admin-window': {
        const { runId } = change;
        if (runId !== undefined) await closeAdminWindow(cx.cluster, target.clusterArn, { ...window, runId });
        const denied = deniedOf(cx);
        if (change.found)
          await rememberFound(cx, {
            ...change.found,
            kept: [...change.found.kept, ...denied],
            pending: change.found.pending && denied.length === 0,
          });
        return runId === undefined ? rejected : undefined;
      }
      case 'update-role':
        return asAdministrator(cx, change.resource, () => connectKubernetes(cx).replace(change.path, change.role));
      case 'delete-role':
      case 'delete-role-binding':
      case 'delete-service-account':
      case 'delete-secret':
      case 'delete-namespace':
        return asAdministrator(cx, change.resource, () => connectKubernetes(cx).delete(change.path));
      case 'delete-access-entry':
        return deleteTagged(
          () =>
            absentIf(['ResourceNotFoundException'], () =>
              cx.cluster.client(EKSClient, region).send(new DeleteAccessEntryCommand({ clusterName, principalArn })),
            ),
          async () => (await findAccessEntry(cx))?.ownership !== 'ours',
        );
      case 'forget-payer':
        await deleteTargetPayer(target, payerAccountId);
        return rejected;
      case 'forget-target':
        await deleteTargetSettings(target);
        return rejected;
    }
  },
});

function rememberFound(cx: StepContext<'offboarding'>, found: Pick<Found, 'kept' | 'pending' | 'shared'>) {
  return cx.remember({ found: { ...found, attempt: cx.run.attempt, at: cx.now } });
}

/** An account that does not let us be administrator keeps what only one could delete. */
async function open(
  cx: StepContext<'offboarding'>,
  { note, otherwise }: Extract<Change, { do: 'open-admin-window' }>,
  { clusterArn }: Target,
  window: AdminWindow,
): Promise<unknown> {
  try {
    await openAdminWindow(cx.cluster, clusterArn, window, note);
    return undefined;
  } catch (error) {
    if (!isKnownError(error) || error.code !== 'cluster-setup-denied') throw error;
    await rememberFound(cx, { kept: otherwise, pending: false, shared: false });
    return rejected;
  }
}

/** Another API server may not know the right yet; a policy's no is final: what is still planned is left, but for shutting the window. */
async function asAdministrator(
  cx: StepContext<'offboarding'>,
  resource: string,
  write: () => Promise<unknown>,
): Promise<unknown> {
  const denied = deniedOf(cx);
  const leave = async (why: string) => {
    await cx.remember({ denied: { attempt: cx.run.attempt, kept: [...denied, { resource, why }] } });
    return rejected;
  };
  const [before] = denied;
  if (before) return leave(`${before.resource} could not be deleted`);
  try {
    await write();
    return undefined;
  } catch (error) {
    if (isDeniedByPolicy(error)) return leave(error.message);
    if (!isAwsError(error, 'Forbidden', 'Conflict')) throw error;
    throw new RetryableError('cluster-rights-missing', error.message, { cause: error });
  }
}

export const handler = stepHandler(removeAccess);
