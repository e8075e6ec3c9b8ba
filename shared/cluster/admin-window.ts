/**
 * The administrator's window: the minutes in which our role is cluster administrator. A run opens it to write objects that our own Role
 * does not cover, and closes it. At most one run has a window in a cluster. A window that a crash leaves open is closed by the end of the
 * run, by the next run for the cluster, or by the sweeper.
 */
import {
  AssociateAccessPolicyCommand,
  DisassociateAccessPolicyCommand,
  EKSClient,
  ListAssociatedAccessPoliciesCommand,
} from '@aws-sdk/client-eks';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf, isAwsError, RetryableError, UserError } from '../errors/errors.ts';
import type { RunKind } from '../model/step-names.ts';
import type { Applied, DeclaredWaits, Permission, Plan, Situation, StepContext } from '../step/contract.ts';
import { queueWait, waitFor } from '../step/plan-builders.ts';
import { type AdminWindow, deleteWindowMark, markWindowOpen } from '../targets/admin-windows.ts';
import { clusterAccount } from '../targets/provisioner-accounts.ts';
import { accessEntryPattern } from './access-entry.ts';

/** EKS checks these against our own access entry. It can limit them neither to a policy nor to a scope. */
export const adminWindowPermission = {
  actions: ['eks:ListAssociatedAccessPolicies', 'eks:AssociateAccessPolicy', 'eks:DisassociateAccessPolicy'],
  resources: [accessEntryPattern],
} as const satisfies Permission;

const adminPolicyArn = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';

/** EKS calls access entries and policies effective after "several seconds". */
const accessEffectiveSeconds = 180;

/** The waits of a step that changes our access to the cluster: for another administrator, and for EKS to show the changes. */
export const accessWaits = {
  'run-queue-overdue': { seconds: 5, longestSeconds: 900 },
  'cluster-rights-missing': { seconds: 5, longestSeconds: 5 * accessEffectiveSeconds },
} as const satisfies DeclaredWaits;
/** Longer than any invocation: no run works in an older window. */
const staleWindowMs = 10 * 60_000;

interface OpenWindow<Notes extends object> {
  action: 'open-admin-window';
  /** ARN of the cluster. */
  resource: string;
  note: string;
  /** The step's notes if the account does not allow us to become administrator. Without them the step fails. */
  notesIfDenied?: Partial<Notes> | undefined;
}

export interface CloseWindow<Notes extends object> {
  action: 'close-admin-window';
  /** ARN of the cluster. */
  resource: string;
  /** The run that opened it; absent if we are administrator without a window: then only the notes are kept. */
  runId: string | undefined;
  notesOnceClosed?: Partial<Notes> | undefined;
}

export type WindowChange<Notes extends object> = OpenWindow<Notes> | CloseWindow<Notes>;

export function closeWindow<Notes extends object>(
  clusterArn: string,
  window: AdminWindow | undefined,
  notesOnceClosed?: Partial<Notes>,
): CloseWindow<Notes> {
  const close = { action: 'close-admin-window', resource: clusterArn, runId: window?.runId } as const;
  return { ...close, ...(notesOnceClosed && { notesOnceClosed }) };
}

/** The plan while another run has a window: wait for its end, or close a stale one. Undefined if no other run has one. */
export function yieldToOtherRun<Output, Notes extends object>(
  clusterArn: string,
  window: AdminWindow | undefined,
  { run, now }: { run: { runId: string }; now: Situation['now'] },
  expected: Output,
): Plan<CloseWindow<Notes>, Output, Notes> | undefined {
  if (!window || window.runId === run.runId) return undefined;
  if (isStaleWindow(window, now)) return { kind: 'change', changes: [closeWindow(clusterArn, window)], expected };
  const reason = `run ${window.runId} to give up the cluster administrator’s rights`;
  return waitFor(queueWait(reason, { seconds: 5, deadlineSeconds: 900 }), expected);
}

/** The wait after a window was opened, or after rights were given. @param reason such as `the Role to take effect` */
export function waitUntilEffective<Output>(reason: string, expected: Output): Plan<never, Output> {
  const deadlineSeconds = accessEffectiveSeconds;
  return waitFor({ reason, seconds: 5, deadlineSeconds, overdue: 'cluster-rights-missing' }, expected);
}

export function waitForAdministrator<Output>(expected: Output): Plan<never, Output> {
  return waitUntilEffective('the administrator’s rights to take effect', expected);
}

export function isStaleWindow({ openedAt }: AdminWindow, now: number): boolean {
  return now - openedAt > staleWindowMs;
}

export async function applyWindowChange<Notes extends object>(
  cx: StepContext<RunKind>,
  change: WindowChange<Notes>,
): Promise<Applied<Notes>> {
  const { accountId, name, region } = cx.run.request.cluster;
  const principalArn = cx.cluster.provisionerArn;
  const entry = { clusterAccountId: accountId, region, clusterName: name, principalArn };
  if (change.action === 'open-admin-window')
    return openWindow(cx.cluster, { ...entry, runId: cx.run.runId, openedAt: cx.now }, change);
  const { resource, runId, notesOnceClosed } = change;
  if (runId !== undefined) await giveUpWindow(cx.cluster, resource, { ...entry, runId });
  const outcome = runId === undefined ? 'bookkeeping' : 'changed';
  return notesOnceClosed ? { outcome, notes: notesOnceClosed } : outcome;
}

/** The mark in our table comes first, so that a window is always closed by someone. */
async function openWindow<Notes extends object>(
  account: TargetAccount,
  window: AdminWindow,
  { resource, note, notesIfDenied }: OpenWindow<Notes>,
): Promise<Applied<Notes>> {
  await markWindowOpen(resource, window);
  const { clusterName, principalArn } = window;
  const policy = { policyArn: adminPolicyArn, accessScope: { type: 'cluster' } } as const;
  try {
    await account
      .client(EKSClient, window.region)
      .send(new AssociateAccessPolicyCommand({ clusterName, principalArn, ...policy }));
    return 'changed';
  } catch (error) {
    if (!isAwsError(error, 'AccessDeniedException', 'AccessDenied')) throw error;
    await deleteWindowMark(resource, window.runId);
    if (notesIfDenied) return { outcome: 'not-changed', notes: notesIfDenied };
    throw new UserError('cluster-setup-denied', `${note}: ${error.message}`, { cause: error });
  }
}

/** Closes a window from outside the run's steps, with the rights of the run that opened it. */
export function closeLeftWindow(clusterArn: string, window: AdminWindow): Promise<void> {
  return giveUpWindow(clusterAccount(window.clusterAccountId, window.runId), clusterArn, window);
}

type Entry = Pick<AdminWindow, 'region' | 'clusterName' | 'principalArn'>;

/** Gives up the rights, proves that they are removed, and only then deletes the mark. */
async function giveUpWindow(
  account: TargetAccount,
  clusterArn: string,
  window: Entry & Pick<AdminWindow, 'runId'>,
): Promise<void> {
  const { region, clusterName, principalArn } = window;
  await absentIf(['ResourceNotFoundException'], () =>
    account
      .client(EKSClient, region)
      .send(new DisassociateAccessPolicyCommand({ clusterName, principalArn, policyArn: adminPolicyArn })),
  );
  if (await hasAdminPolicy(account, window))
    throw new RetryableError('aws-unavailable', `${principalArn} is still cluster administrator of ${clusterArn}`);
  await deleteWindowMark(clusterArn, window.runId);
}

/** True while our role has the administrator's rights, whether or not they have taken effect. */
export function isAdministrator(cx: StepContext<RunKind>): Promise<boolean> {
  const { name, region } = cx.run.request.cluster;
  return hasAdminPolicy(cx.cluster, { region, clusterName: name, principalArn: cx.cluster.provisionerArn });
}

async function hasAdminPolicy(account: TargetAccount, { region, clusterName, principalArn }: Entry): Promise<boolean> {
  const answer = await absentIf(['ResourceNotFoundException'], () =>
    account.client(EKSClient, region).send(new ListAssociatedAccessPoliciesCommand({ clusterName, principalArn })),
  );
  return answer?.associatedAccessPolicies?.some(({ policyArn }) => policyArn === adminPolicyArn) ?? false;
}
