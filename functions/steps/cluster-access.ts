import { CreateAccessEntryCommand, EKSClient } from '@aws-sdk/client-eks';
import * as z from 'zod';
import { ownerTags } from '../../shared/aws/tags.ts';
import { type AccessEntry, findAccessEntry } from '../../shared/cluster/access-entry.ts';
import { missingRights } from '../../shared/cluster/access-review.ts';
import { closeAdminWindow, hasAdminPolicy, openAdminWindow } from '../../shared/cluster/admin-window.ts';
import {
  bindsGroup,
  type CoveredNames,
  coveredNames,
  givesRight,
  groupName,
  mergeRules,
  namespaceObject,
  rightsOf,
  type Role,
  type RoleBinding,
  roleBindingObject,
  roleObject,
  rules,
  rulesFor,
} from '../../shared/cluster/provisioner-role.ts';
import { isAwsError, RetryableError, unlessTaken, UserError } from '../../shared/errors/errors.ts';
import { isDeniedByPolicy } from '../../shared/errors/kubernetes-error.ts';
import type { KubernetesClient } from '../../shared/kubernetes/client.ts';
import { objectOwnership, ownerLabels } from '../../shared/kubernetes/ownership-labels.ts';
import type { RunRecord } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import {
  type Applied,
  defineStep,
  type KubernetesRule,
  type Plan,
  type Situation,
  type StepContext,
} from '../../shared/step/contract.ts';
import { firstOf, queueWait, type Rule, waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { type AdminWindow, readWindow } from '../../shared/targets/admin-windows.ts';

interface Input {
  clusterArn: string;
  clusterName: string;
  clusterAccountId: string;
  region: string;
  principalArn: string;
  namespace: string;
  namespaceAllowed: boolean;
  createNamespace: boolean;
  covered: CoveredNames;
  rules: KubernetesRule[];
}

interface Objects {
  namespace: boolean;
  role: Role | undefined;
  binding: RoleBinding | undefined;
}

interface Observation {
  entry: AccessEntry | undefined;
  window?: AdminWindow | undefined;
  /** Rights the API server says we lack; `unknown` while it does not know us. */
  missing?: string[] | 'unknown';
  /** False only if we could read it without being administrator. */
  namespaceExists?: boolean;
  admin?: boolean;
  /** As the administrator sees them; `hidden` while that right has not taken effect. */
  objects?: Objects | 'hidden';
}

type Change =
  | {
      action: 'create-access-entry' | 'open-admin-window' | 'create-namespace' | 'create-role' | 'create-role-binding';
      resource: string;
      note?: string;
    }
  /** `made`: the objects were created in this window, so that they only need time now; `runId`: the run that opened it. */
  | { action: 'close-admin-window'; resource: string; made: boolean; runId: string }
  | { action: 'update-role'; resource: string; role: Role };

/** The run ends with it once the administrator's window is closed. */
const Refusal = z.object({
  code: z.enum(['admission-denied', 'cluster-rights-missing', 'namespace-missing', 'owned-by-another-deployment']),
  detail: z.string(),
});
type Refusal = z.infer<typeof Refusal>;

const Notes = z.object({
  refused: Refusal.optional().catch(undefined),
  /** For which attempt and names this step has created the objects, as `rightsMade` spells them. */
  made: z.string().optional().catch(undefined),
});
type Notes = z.infer<typeof Notes>;

type AccessPlan = Plan<Change, Outputs['cluster-access'], Notes>;
type AccessRule = Rule<Facts, AccessPlan>;

/** EKS calls access entries and policies effective after "several seconds". */
const effectiveSeconds = 180;
/** Longer than any invocation: no run works in an older window. */
const staleWindowMs = 10 * 60_000;

const rolesPath = (namespace: string) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`;
const bindingsPath = (namespace: string) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`;

/** The step may be taken again within the attempt, and then have to give more rights. */
function rightsMade({ attempt }: RunRecord, { covered }: Input): string {
  return JSON.stringify([attempt, covered]);
}

/** True also where we may not read it: then only an administrator can. */
async function mayExist(kubernetes: KubernetesClient, namespace: string): Promise<boolean> {
  try {
    return (await kubernetes.get(`/api/v1/namespaces/${namespace}`)) !== undefined;
  } catch (error) {
    if (isAwsError(error, 'Unauthorized', 'Forbidden')) return true;
    throw error;
  }
}

async function readObjects(kubernetes: KubernetesClient, namespace: string): Promise<Objects | 'hidden'> {
  try {
    const [found, role, binding] = await Promise.all([
      kubernetes.get(`/api/v1/namespaces/${namespace}`),
      kubernetes.get<Role>(`${rolesPath(namespace)}/${groupName}`),
      kubernetes.get<RoleBinding>(`${bindingsPath(namespace)}/${groupName}`),
    ]);
    return { namespace: found !== undefined, role, binding };
  } catch (error) {
    if (isAwsError(error, 'Unauthorized', 'Forbidden')) return 'hidden';
    throw error;
  }
}

/** Creates namespace, Role and RoleBinding as far as they are missing. */
function missingObjects(input: Input, { namespace: exists, role, binding }: Objects): Change[] {
  const { namespace } = input;
  const changes: Change[] = [];
  if (!exists) changes.push({ action: 'create-namespace', resource: namespace });
  if (!role) changes.push({ action: 'create-role', resource: `${namespace}/${groupName}` });
  else if (!input.rules.flatMap(rightsOf).every((right) => givesRight(role.rules ?? [], right)))
    changes.push({
      action: 'update-role',
      resource: `${namespace}/${groupName}`,
      role: { ...role, rules: [...mergeRules(role.rules ?? [], input.rules)] },
    });
  if (!binding) changes.push({ action: 'create-role-binding', resource: `${namespace}/${groupName}` });
  return changes;
}

/** A dry run cannot see the objects before we have access. Each is created only where it is missing. */
function likelyChanges({ clusterArn, namespace, createNamespace }: Input, runId: string): Change[] {
  const note = 'unless it exists';
  return [
    { action: 'open-admin-window', resource: clusterArn, note: 'unless the Role exists' },
    ...(createNamespace ? [{ action: 'create-namespace' as const, resource: namespace, note }] : []),
    { action: 'create-role', resource: `${namespace}/${groupName}`, note },
    { action: 'create-role-binding', resource: `${namespace}/${groupName}`, note },
    { action: 'close-admin-window', resource: clusterArn, made: true, runId },
  ];
}

const waitUntilEffective = (reason: string, expected: Outputs['cluster-access']): AccessPlan =>
  waitFor({ reason, seconds: 5, deadlineSeconds: effectiveSeconds, overdue: 'cluster-rights-missing' }, expected);

interface Facts {
  input: Input;
  seen: Observation;
  situation: Situation<'onboarding', Notes>;
}

const expectedOf = ({ principalArn, namespace, covered }: Input) => ({ principalArn, namespace, ...covered });

function closing({ input, seen: { window }, situation: { run } }: Facts) {
  return {
    action: 'close-admin-window' as const,
    resource: input.clusterArn,
    made: window?.runId === run.runId,
    runId: window?.runId ?? run.runId,
  };
}

const change = ({ input }: Facts, ...changes: [Change, ...Change[]]): Extract<AccessPlan, { kind: 'change' }> => ({
  kind: 'change',
  changes,
  expected: expectedOf(input),
});

/** Refuses once the window is closed. */
function refuse(facts: Facts, refusal: Refusal): AccessPlan {
  return facts.seen.window
    ? { ...change(facts, { ...closing(facts), made: false }), notes: { refused: refusal } }
    : { kind: 'refuse', ...refusal, expected: expectedOf(facts.input) };
}

const refuseNamespaceNotAllowed: AccessRule = ({ input }) =>
  input.namespaceAllowed ? undefined : { kind: 'refuse', code: 'namespace-not-allowed', detail: input.namespace };

const yieldToOtherAdministrator: AccessRule = (facts) => {
  const { window } = facts.seen;
  const { run, now } = facts.situation;
  if (!window || window.runId === run.runId) return undefined;
  if (now - window.openedAt > staleWindowMs) return change(facts, closing(facts));
  const reason = `run ${window.runId} to give up the cluster administrator’s rights`;
  return waitFor(queueWait(reason, { seconds: 5, deadlineSeconds: 900 }), expectedOf(facts.input));
};

const refuseAgain: AccessRule = (facts) => {
  const { refused } = facts.situation.notes;
  return refused && refuse(facts, refused);
};

const createAccessEntry: AccessRule = (facts) => {
  const { input, seen, situation } = facts;
  if (seen.entry) return undefined;
  const likely = situation.run.request.dryRun ? likelyChanges(input, situation.run.runId) : [];
  return change(facts, { action: 'create-access-entry', resource: input.principalArn }, ...likely);
};

const refuseForeignEntry: AccessRule = ({ input, seen: { entry } }) => {
  if (entry?.groups.includes(groupName)) return undefined;
  const groups = entry?.groups.join(', ') || '(none)';
  const detail = `the access entry of ${input.principalArn} has the groups ${groups}`;
  return { kind: 'refuse', code: 'access-entry-not-ours', detail, expected: expectedOf(input) };
};

const waitForEntry: AccessRule = ({ input, seen }) =>
  seen.missing === 'unknown' ? waitUntilEffective('the access entry to take effect', expectedOf(input)) : undefined;

const endWithAllRights: AccessRule = (facts) => {
  if (facts.seen.missing?.length !== 0) return undefined;
  return facts.seen.window ? change(facts, closing(facts)) : { kind: 'ready', output: expectedOf(facts.input) };
};

const refuseMissingNamespace: AccessRule = (facts) => {
  const { namespace, clusterArn } = facts.input;
  if (facts.seen.namespaceExists !== false) return undefined;
  return refuse(facts, { code: 'namespace-missing', detail: `namespace ${namespace} of cluster ${clusterArn}` });
};

const waitForRole: AccessRule = ({ input, seen, situation: { notes, run } }) =>
  !seen.window && notes.made === rightsMade(run, input)
    ? waitUntilEffective('the Role to take effect', expectedOf(input))
    : undefined;

const becomeAdministrator: AccessRule = (facts) => {
  const { input, seen, situation } = facts;
  if (seen.admin) return undefined;
  const note = `missing: ${seen.missing === 'unknown' ? '' : (seen.missing ?? []).join(', ')}`;
  const likely = situation.run.request.dryRun ? likelyChanges(input, situation.run.runId).slice(1) : [];
  return change(facts, { action: 'open-admin-window', resource: input.clusterArn, note }, ...likely);
};

/** The first that applies decides. */
const rulesOfAccess: readonly AccessRule[] = [
  refuseNamespaceNotAllowed,
  yieldToOtherAdministrator,
  refuseAgain,
  createAccessEntry,
  refuseForeignEntry,
  waitForEntry,
  endWithAllRights,
  refuseMissingNamespace,
  waitForRole,
  becomeAdministrator,
];

/** As administrator: creates what is missing, and closes the window. */
function planObjects(facts: Facts): AccessPlan {
  const { input, seen, situation } = facts;
  const { namespace } = input;
  const { objects } = seen;
  if (!objects || objects === 'hidden')
    return waitUntilEffective('the administrator’s rights to take effect', expectedOf(input));
  const { role, binding } = objects;
  if (role && objectOwnership(role, situation.owner) === 'other-deployment')
    return refuse(facts, { code: 'owned-by-another-deployment', detail: `Role ${namespace}/${groupName}` });
  if (binding && !bindsGroup(binding))
    return refuse(facts, {
      code: 'cluster-rights-missing',
      detail: `RoleBinding ${namespace}/${groupName} does not bind the Role to the group ${groupName}`,
    });
  const [first, ...more] = [...missingObjects(input, objects), ...(seen.window ? [closing(facts)] : [])];
  return first ? change(facts, first, ...more) : waitUntilEffective('the Role to take effect', expectedOf(input));
}

/**
 * Our access to the cluster: an access entry, and a Role in the one namespace that gives its Kubernetes group the rights. Where
 * these objects are missing we are administrator for as long as it takes to create them.
 */
export const clusterAccess = defineStep({
  name: 'cluster-access',
  summary: 'Gives our role the rights it needs in the cluster’s namespace, and no others.',
  lease: 'target',
  notes: Notes,
  permissions: {
    table: ['DeleteItem', 'GetItem', 'PutItem'],
    cluster: [
      {
        actions: ['eks:CreateAccessEntry'],
        resources: ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:cluster/${Cluster}'],
        condition: { 'ForAllValues:StringEquals': { 'eks:kubernetesGroups': groupName } },
      },
      {
        actions: [
          'eks:DescribeAccessEntry',
          'eks:ListAssociatedAccessPolicies',
          'eks:AssociateAccessPolicy',
          'eks:DisassociateAccessPolicy',
          'eks:TagResource',
        ],
        resources: [
          'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:access-entry/${Cluster}/role/${AWS::AccountId}/${ProvisionerName}/*',
        ],
      },
    ],
    kubernetes: [rules.namespace],
  },

  input(cx): Input {
    const { cluster, kubecost } = cx.run.request;
    const { namespace, secretName } = kubecost;
    const covered = coveredNames(cx.run);
    return {
      clusterArn: clusterArnOf(cx.run.request),
      clusterName: cluster.name,
      clusterAccountId: cluster.accountId,
      region: cluster.region,
      principalArn: cx.cluster.provisionerArn,
      namespace,
      namespaceAllowed: cx.deployment.allowedNamespaces.includes(namespace),
      createNamespace: kubecost.createNamespace,
      covered,
      rules: rulesFor({ namespace, secretName, ...covered }),
    };
  },

  async observe(cx, input): Promise<Observation> {
    const [entry, window] = await Promise.all([findAccessEntry(cx), readWindow(input.clusterArn)]);
    if (!entry?.groups.includes(groupName)) return { entry, window };
    const kubernetes = cx.kubernetes;
    const marked = window !== undefined && (await hasAdminPolicy(cx.cluster, input));
    const missing = marked ? undefined : await missingRights(kubernetes, input);
    if (missing && (missing === 'unknown' || missing.length === 0)) return { entry, window, missing };
    const admin = marked || (await hasAdminPolicy(cx.cluster, input));
    return {
      entry,
      window,
      ...(missing && { missing }),
      ...(!input.createNamespace && { namespaceExists: await mayExist(kubernetes, input.namespace) }),
      admin,
      ...(admin && { objects: await readObjects(kubernetes, input.namespace) }),
    };
  },

  plan: (input, seen, situation) =>
    firstOf(rulesOfAccess, { input, seen, situation }) ?? planObjects({ input, seen, situation }),

  async apply(cx, change, { input }) {
    const { clusterArn, clusterName, clusterAccountId, region, principalArn, namespace } = input;
    const labels = ownerLabels(cx.owner);
    const window = { clusterAccountId, region, clusterName, principalArn, runId: cx.run.runId, openedAt: cx.now };
    switch (change.action) {
      case 'create-access-entry':
        await createEntry(cx, input);
        return 'changed';
      case 'open-admin-window':
        await openAdminWindow(cx.cluster, clusterArn, window, change.note ?? '');
        return 'changed';
      case 'close-admin-window':
        await closeAdminWindow(cx.cluster, clusterArn, { ...window, runId: change.runId });
        return change.made ? { outcome: 'changed', notes: { made: rightsMade(cx.run, input) } } : 'changed';
      case 'create-namespace':
        return asAdministrator(() => cx.kubernetes.create('/api/v1/namespaces', namespaceObject(namespace, labels)));
      case 'create-role':
        return asAdministrator(() =>
          cx.kubernetes.create(rolesPath(namespace), roleObject(namespace, input.rules, labels)),
        );
      case 'update-role':
        return asAdministrator(() => cx.kubernetes.replace(`${rolesPath(namespace)}/${groupName}`, change.role));
      case 'create-role-binding':
        return asAdministrator(() =>
          cx.kubernetes.create(bindingsPath(namespace), roleBindingObject(namespace, labels)),
        );
    }
  },
});

/** EKS calls a provisioner role that was deployed moments ago an "invalid principal". */
async function createEntry(cx: StepContext, { clusterName, principalArn, region }: Input): Promise<void> {
  try {
    await unlessTaken(['ResourceInUseException'], () =>
      cx.cluster.client(EKSClient, region).send(
        new CreateAccessEntryCommand({
          clusterName,
          principalArn,
          kubernetesGroups: [groupName],
          tags: ownerTags(cx.owner),
        }),
      ),
    );
  } catch (error) {
    if (isAwsError(error, 'AccessDeniedException', 'AccessDenied'))
      throw new UserError('cluster-setup-denied', error.message, { cause: error });
    if (!isAwsError(error, 'InvalidParameterException') || !error.message.includes('invalid principal')) throw error;
    throw new RetryableError('aws-unavailable', error.message, { cause: error });
  }
}

/**
 * A policy's denial is final: the plan after it only closes the window. The API server's own denial is not: another replica may not
 * know the right yet, and another run may have closed the window.
 */
async function asAdministrator(write: () => Promise<unknown>): Promise<Applied<Notes>> {
  try {
    await unlessTaken(['AlreadyExists', 'Conflict'], write);
    return 'changed';
  } catch (error) {
    if (isDeniedByPolicy(error))
      return { outcome: 'not-changed', notes: { refused: { code: 'admission-denied', detail: error.message } } };
    if (!isAwsError(error, 'Forbidden')) throw error;
    throw new RetryableError('cluster-rights-missing', error.message, { cause: error });
  }
}

export const handler = stepHandler(clusterAccess);
