/** The removal of what runs have created in a namespace: which changes an administrator makes, and what offboarding notes of it. */
import * as z from 'zod';
import { closeWindow, waitForAdministrator, type WindowChange, yieldToOtherRun } from '../cluster/admin-window.ts';
import type { ObjectChange } from '../cluster/namespace-objects.ts';
import { groupName } from '../cluster/provisioner-role.ts';
import type { Removal } from '../model/steps-and-outputs.ts';
import type { Plan, Situation } from '../step/contract.ts';
import { firstOf, type Rule, waitFor } from '../step/plan-builders.ts';
import type { AdminWindow } from '../targets/admin-windows.ts';
import { decideObjects, type OccupiedNamespace, type Place } from './namespace-decisions.ts';
import type { Neighbour } from './neighbour-targets.ts';
import { removalOf } from './removal-output.ts';

const Kept = z.array(z.object({ resource: z.string(), why: z.string() }));

export const CleanupNotes = z.object({
  /** What the administrator has found in the namespace, or that we may not become administrator. */
  found: z
    .object({
      /** Milliseconds since the epoch. */
      at: z.number(),
      kept: Kept,
      /** Kubernetes is deleting the namespace: it has to be checked again. */
      pending: z.boolean(),
      /** Another secret of the namespace needs the Role. */
      shared: z.boolean(),
    })
    .optional()
    .catch(undefined),
  /** `kept`: first the object whose deletion a policy of the cluster has denied. */
  denied: z.object({ kept: Kept }).optional().catch(undefined),
});
export type CleanupNotes = z.infer<typeof CleanupNotes>;

export interface SeenNamespace {
  neighbours: Neighbour[];
  window: AdminWindow | undefined;
  /** True if our Role gives us rights in the namespace. */
  roleHere?: boolean;
  admin?: boolean;
  /** As the administrator sees them; `hidden` while that right has not taken effect. */
  objects?: OccupiedNamespace | 'hidden';
}

export type NamespaceChange = WindowChange<CleanupNotes> | ObjectChange;

interface Facts {
  place: Place;
  seen: SeenNamespace;
  situation: Situation<'offboarding', CleanupNotes>;
}

type CleanupPlan = Plan<NamespaceChange, Removal, CleanupNotes>;
type CleanupRule = Rule<Facts, CleanupPlan>;

/** Kubernetes takes some seconds to delete an empty namespace. */
const namespaceSeconds = 10;

const removedSoFar = ({ situation }: Facts) => removalOf(situation.changes, []);

function change(facts: Facts, ...changes: [NamespaceChange, ...NamespaceChange[]]): CleanupPlan {
  return { kind: 'change', changes, expected: removalOf(facts.situation.changes, [], changes) };
}

const yieldToOtherAdministrator: CleanupRule = (facts) =>
  yieldToOtherRun(facts.place.target.clusterArn, facts.seen.window, facts.situation, removedSoFar(facts));

const waitForNamespace: CleanupRule = (facts) => {
  const { found } = facts.situation.notes;
  const isRecent = found && facts.situation.now - found.at < namespaceSeconds * 1000;
  if (!found?.pending || facts.seen.window || !isRecent) return undefined;
  const reason = `Kubernetes to delete namespace ${facts.place.target.namespace}`;
  const times = { seconds: namespaceSeconds, deadlineSeconds: 300 };
  return waitFor({ reason, ...times, overdue: 'namespace-stuck' }, removedSoFar(facts));
};

/** An account that does not allow us to become administrator keeps what only an administrator may delete. */
const becomeAdministrator: CleanupRule = (facts) => {
  const { seen, situation } = facts;
  if (seen.admin) return undefined;
  const { clusterArn, namespace } = facts.place.target;
  const why = `we may not become the cluster’s administrator; to delete it: kubectl delete rolebinding,role ${groupName} --namespace ${namespace}`;
  const kept = seen.roleHere ? [{ resource: `Role ${namespace}/${groupName}`, why }] : [];
  return change(facts, {
    action: 'open-admin-window',
    resource: clusterArn,
    note: `to find and delete what runs created in namespace ${namespace}`,
    notesIfDenied: { found: { kept, pending: false, shared: false, at: situation.now } },
  });
};

const deleteObjects: CleanupRule = (facts) => {
  const { place, seen, situation } = facts;
  if (!seen.objects || seen.objects === 'hidden') return waitForAdministrator(removedSoFar(facts));
  const { denied } = situation.notes;
  const { changes, ...outcome } = decideObjects(place, seen.neighbours, seen.objects, situation.owner);
  const found = { ...outcome, at: situation.now };
  const closing = (result: CleanupNotes['found']) =>
    closeWindow<CleanupNotes>(place.target.clusterArn, seen.window, { found: result });
  if (denied) {
    const kept = [...outcome.kept, ...keptByDenial(denied.kept, changes)];
    return change(facts, closing({ ...found, kept, pending: false }));
  }
  const [first, ...more] = [...changes, closing(found)];
  return change(facts, first, ...more);
};

/** One denied deletion keeps everything that was to be deleted after it. */
function keptByDenial(denied: Removal['kept'], changes: readonly ObjectChange[]): Removal['kept'] {
  const [cause] = denied;
  const others = changes.filter(({ resource }) => denied.every((one) => one.resource !== resource));
  const why = `${cause?.resource ?? ''} could not be deleted`;
  return [...denied, ...others.map(({ resource }) => ({ resource, why }))];
}

const cleanupRules: readonly CleanupRule[] = [
  yieldToOtherAdministrator,
  waitForNamespace,
  becomeAdministrator,
  deleteObjects,
];

/** Undefined once the namespace is as offboarding leaves it. */
export function planCleanup(facts: Facts): CleanupPlan | undefined {
  const { found } = facts.situation.notes;
  if (found && !found.pending && !facts.seen.window) return undefined;
  return firstOf(cleanupRules, facts);
}
