/** The plan of our access to a cluster: from what was seen of entry, rights, window and objects to the next changes. */
import * as z from 'zod';
import { objectOwnership, ownerLabels } from '../kubernetes/ownership-labels.ts';
import type { RunRecord } from '../model/run.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { KubernetesRule, Plan, Situation } from '../step/contract.ts';
import { changesOrReady, firstOf, type Rule } from '../step/plan-builders.ts';
import type { AdminWindow } from '../targets/admin-windows.ts';
import type { AccessEntry } from './access-entry.ts';
import {
  closeWindow,
  waitForAdministrator,
  waitUntilEffective,
  type WindowChange,
  yieldToOtherRun,
} from './admin-window.ts';
import {
  bindsGroup,
  changesToComplete,
  namespaceObject,
  type NamespaceObjects,
  type ObjectChange,
} from './namespace-objects.ts';
import { type CoveredNames, groupName } from './provisioner-role.ts';

export interface AccessInput {
  clusterArn: string;
  principalArn: string;
  namespace: string;
  namespaceAllowed: boolean;
  createNamespace: boolean;
  covered: CoveredNames;
  rules: KubernetesRule[];
}

export interface AccessObservation {
  entry: AccessEntry | undefined;
  window?: AdminWindow | undefined;
  /** Rights the API server says we lack; `unknown` while it does not recognize our role. */
  missing?: string[] | 'unknown';
  /** False only if we could read it without being administrator. */
  namespaceExists?: boolean;
  admin?: boolean;
  /** As the administrator sees them; `hidden` while that right has not taken effect. */
  objects?: NamespaceObjects | 'hidden';
}

/** The run ends with it once the administrator's window is closed. */
const FinalRefusal = z.object({
  code: z.enum(['admission-denied', 'cluster-rights-missing', 'namespace-missing', 'owned-by-another-deployment']),
  detail: z.string(),
});

export const AccessNotes = z.object({
  refused: FinalRefusal.optional().catch(undefined),
  /** For which attempt and names this step has created the objects, as `rightsGiven` spells them. */
  made: z.string().optional().catch(undefined),
});
export type AccessNotes = z.infer<typeof AccessNotes>;

export type AccessChange =
  { action: 'create-access-entry'; resource: string; note?: string } | WindowChange<AccessNotes> | ObjectChange;

type AccessPlan = Plan<AccessChange, Outputs['cluster-access'], AccessNotes>;
type AccessRule = Rule<Facts, AccessPlan>;

interface Facts {
  input: AccessInput;
  seen: AccessObservation;
  situation: Situation<'onboarding', AccessNotes>;
}

/** The step may be taken again within the attempt, and then have to give more rights. */
function rightsGiven({ attempt }: RunRecord, { covered }: AccessInput): string {
  return JSON.stringify([attempt, covered]);
}

const expectedOf = ({ principalArn, namespace, covered }: AccessInput) => ({ principalArn, namespace, ...covered });

/** Names the rights once they only need time to take effect. */
function closing({ input, seen: { window }, situation: { run } }: Facts): AccessChange {
  const isOurs = window?.runId === run.runId;
  return closeWindow<AccessNotes>(input.clusterArn, window, isOurs ? { made: rightsGiven(run, input) } : undefined);
}

const change = ({ input }: Facts, ...changes: [AccessChange, ...AccessChange[]]): AccessPlan => ({
  kind: 'change',
  changes,
  expected: expectedOf(input),
});

/** What creates the objects. Each is created only where it is missing; a dry run cannot see it. */
function likelyChanges(facts: Facts, note: string): [AccessChange, ...AccessChange[]] {
  const { input, situation } = facts;
  const { clusterArn, namespace, createNamespace } = input;
  const found = createNamespace ? undefined : namespaceObject(namespace, undefined);
  const open: AccessChange = { action: 'open-admin-window', resource: clusterArn, note };
  if (!situation.run.request.dryRun) return [open];
  const wanted = { ...input, labels: ownerLabels(situation.owner) };
  const objects = { namespace: found, role: undefined, binding: undefined };
  return [open, ...changesToComplete(wanted, objects, 'unless it exists'), closing(facts)];
}

/** Refuses once the window is closed. */
function refuse(facts: Facts, refusal: z.infer<typeof FinalRefusal>): AccessPlan {
  const { input, seen } = facts;
  if (!seen.window) return { kind: 'refuse', ...refusal, expected: expectedOf(input) };
  const changes = [closeWindow<AccessNotes>(input.clusterArn, seen.window)] as const;
  return { kind: 'change', changes, expected: expectedOf(input), notes: { refused: refusal } };
}

const refuseNamespaceNotAllowed: AccessRule = ({ input }) =>
  input.namespaceAllowed ? undefined : { kind: 'refuse', code: 'namespace-not-allowed', detail: input.namespace };

const yieldToOtherAdministrator: AccessRule = ({ input, seen, situation }) =>
  yieldToOtherRun(input.clusterArn, seen.window, situation, expectedOf(input));

const refuseAgain: AccessRule = (facts) => {
  const { refused } = facts.situation.notes;
  return refused && refuse(facts, refused);
};

const createEntry: AccessRule = (facts) => {
  if (facts.seen.entry) return undefined;
  const create: AccessChange = { action: 'create-access-entry', resource: facts.input.principalArn };
  const likely = facts.situation.run.request.dryRun ? likelyChanges(facts, 'unless the Role exists') : [];
  return change(facts, create, ...likely);
};

const refuseForeignEntry: AccessRule = ({ input, seen: { entry } }) => {
  if (entry?.groups.includes(groupName)) return undefined;
  const groups = entry?.groups.join(', ') || '(none)';
  const detail = `the access entry of ${input.principalArn} has the groups ${groups}`;
  return { kind: 'refuse', code: 'access-entry-not-ours', detail, expected: expectedOf(input) };
};

const waitForEntry: AccessRule = ({ input, seen }) =>
  seen.missing === 'unknown' ? waitUntilEffective('the access entry to take effect', expectedOf(input)) : undefined;

const endWithAllRights: AccessRule = (facts) =>
  facts.seen.missing?.length === 0
    ? changesOrReady<AccessChange, Outputs['cluster-access'], AccessNotes>(facts.seen.window ? [closing(facts)] : [], {
        output: expectedOf(facts.input),
      })
    : undefined;

const refuseMissingNamespace: AccessRule = (facts) => {
  const { namespace, clusterArn } = facts.input;
  if (facts.seen.namespaceExists !== false) return undefined;
  return refuse(facts, { code: 'namespace-missing', detail: `namespace ${namespace} of cluster ${clusterArn}` });
};

const waitForRole: AccessRule = ({ input, seen, situation: { notes, run } }) =>
  !seen.window && notes.made === rightsGiven(run, input)
    ? waitUntilEffective('the Role to take effect', expectedOf(input))
    : undefined;

const becomeAdministrator: AccessRule = (facts) => {
  const { admin, missing } = facts.seen;
  if (admin) return undefined;
  const names = missing === 'unknown' ? [] : (missing ?? []);
  return change(facts, ...likelyChanges(facts, `missing: ${names.join(', ')}`));
};

/** The first that applies decides. */
const accessRules: readonly AccessRule[] = [
  refuseNamespaceNotAllowed,
  yieldToOtherAdministrator,
  refuseAgain,
  createEntry,
  refuseForeignEntry,
  waitForEntry,
  endWithAllRights,
  refuseMissingNamespace,
  waitForRole,
  becomeAdministrator,
];

/** As administrator: creates what is missing, and closes the window. */
function completeObjects(facts: Facts): AccessPlan {
  const { input, seen, situation } = facts;
  const { objects } = seen;
  if (!objects || objects === 'hidden') return waitForAdministrator(expectedOf(input));
  const { role, binding } = objects;
  const name = `${input.namespace}/${groupName}`;
  if (role && objectOwnership(role, situation.owner) === 'other-deployment')
    return refuse(facts, { code: 'owned-by-another-deployment', detail: `Role ${name}` });
  if (binding && !bindsGroup(binding)) {
    const detail = `RoleBinding ${name} does not bind the Role to the group ${groupName}`;
    return refuse(facts, { code: 'cluster-rights-missing', detail });
  }
  const missing = changesToComplete({ ...input, labels: ownerLabels(situation.owner) }, objects);
  const [first, ...more] = [...missing, ...(seen.window ? [closing(facts)] : [])];
  return first ? change(facts, first, ...more) : waitUntilEffective('the Role to take effect', expectedOf(input));
}

export function planAccess(input: AccessInput, seen: AccessObservation, situation: Facts['situation']): AccessPlan {
  const facts = { input, seen, situation };
  return firstOf(accessRules, facts) ?? completeObjects(facts);
}
