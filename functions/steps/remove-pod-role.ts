import { DeletePodIdentityAssociationCommand, EKSClient, UntagResourceCommand } from '@aws-sdk/client-eks';
import { IAMClient } from '@aws-sdk/client-iam';
import { holdsOnlyGrant, payerRolesOf } from '../../shared/access/grant-policy.ts';
import { annotatedBy, type PodIdentity, podSid, roleAnnotation } from '../../shared/access/pod-trust.ts';
import { deleteTagged } from '../../shared/aws/delete-tagged.ts';
import {
  applyPolicyChange,
  findManagedPolicy,
  listAttachedPolicies,
  type PolicyChange,
  policyRemoval,
  type SeenPolicy,
} from '../../shared/aws/managed-policy.ts';
import { podRoleName } from '../../shared/aws/names.ts';
import { type Association, findAssociation } from '../../shared/aws/pod-identity-association.ts';
import {
  applyRoleChange,
  findRole,
  iamRegion,
  parseRoleArn,
  roleArnOf,
  type RoleChange,
  type SeenRole,
} from '../../shared/aws/role.ts';
import { applyRoleRemoval, listInlinePolicies, type RoleRemoval } from '../../shared/aws/role-removal.ts';
import { ownerTags, taggedOurs, takenOverTags } from '../../shared/aws/tags.ts';
import { findAccessEntry } from '../../shared/cluster/access-entry.ts';
import { lacks } from '../../shared/cluster/access-review.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { absentIf } from '../../shared/errors/errors.ts';
import type { KubernetesObject } from '../../shared/kubernetes/client.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Change as Recorded } from '../../shared/model/run-schemas.ts';
import type { Outputs, Removal } from '../../shared/model/step-outputs.ts';
import { targetId } from '../../shared/model/target.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listPayerTargets } from '../../shared/targets/payer-targets.ts';
import {
  listServiceAccountPayers,
  markUnloaded,
  needsTarget,
  type TargetPayer,
} from '../../shared/targets/target-payers.ts';

interface Input extends PodIdentity {
  target: Target;
  payerAccountId: string;
  clusterName: string;
  clusterAccountId: string;
  region: string;
  clusterExists: boolean;
  defaultRoleArn: string;
  purge: boolean;
}

interface PodRole extends SeenRole {
  /** Our policies that it has attached. */
  shards: SeenPolicy[];
  /** ARNs of all others. */
  foreignPolicies: string[];
  /** Names. */
  inlinePolicies: string[];
}

interface Observation {
  /** Other payers whose pods run as the same service account. */
  others: (TargetPayer & { target: Target })[];
  association: Association | undefined;
  /** `hidden`: our rights in the cluster are gone. */
  serviceAccount: KubernetesObject | undefined | 'hidden';
  /** The roles that the service account has, or has had from us. */
  roles: PodRole[];
}

type Change =
  | RoleRemoval
  | RoleChange
  | PolicyChange
  | { action: 'delete-association' | 'release-association'; resource: string; associationId: string }
  | { action: 'remove-annotation'; resource: string };

/** What becomes of a role: kept whole; given back to who made it; deleted; or never ours to decide about. */
type Verdict = { kind: 'keep' | 'release'; why: string } | { kind: 'delete' | 'not-ours' };

const grantPolicies = 'policy/kubecost-access-cur-in-payer-account-';
const takenOver = 'it was there before us: kept unless purge names pod-role';

const serviceAccountPath = ({ namespace, serviceAccount }: PodIdentity) =>
  `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}`;

/** Where an earlier attempt has already taken our own rights away, there is nothing left that we could look at. */
async function findServiceAccount(
  cx: StepContext<'offboarding'>,
  input: Input,
): Promise<Observation['serviceAccount']> {
  if (!input.clusterExists || !(await findAccessEntry(cx))) return 'hidden';
  const kubernetes = cx.kubernetes;
  const right = { group: '', resource: 'serviceaccounts', name: input.serviceAccount };
  for (const verb of ['get', 'patch'])
    if (await lacks(kubernetes, input.namespace, { ...right, verb })) return 'hidden';
  return kubernetes.get(serviceAccountPath(input));
}

async function readPodRole(cx: StepContext<'offboarding'>, arn: string): Promise<PodRole | undefined> {
  const iam = cx.cluster.client(IAMClient, iamRegion);
  const role = await findRole(iam, parseRoleArn(arn).name, cx.owner);
  if (!role) return undefined;
  if (role.ownership !== 'ours') return { ...role, shards: [], foreignPolicies: [], inlinePolicies: [] };
  const [attached, inlinePolicies] = await Promise.all([listAttachedPolicies(iam, arn), listInlinePolicies(iam, arn)]);
  const candidates = await Promise.all(
    attached
      .filter((policy) => policy.includes(grantPolicies))
      .map((policy) => findManagedPolicy(iam, policy, cx.owner)),
  );
  const shards = candidates.filter((policy) => policy?.ownership === 'ours').filter((policy) => policy !== undefined);
  const ours = new Set(shards.filter(({ document }) => holdsOnlyGrant(document)).map((policy) => policy.arn));
  return { ...role, shards, inlinePolicies, foreignPolicies: attached.filter((policy) => !ours.has(policy)) };
}

function needing(others: Observation['others']): string | undefined {
  const [first, ...more] = others.filter(needsTarget);
  if (!first) return undefined;
  const rest = more.length > 0 ? ` and ${more.length} more` : '';
  return `another payer’s entry still needs it: ${first.payerAccountId} at ${targetId(first.target)}${rest}`;
}

/** Payer roles in its policies that no item marks as leaving: a table that was emptied revokes nobody. */
function foreignPayerRole({ payerAccountId }: Input, { others }: Observation, { shards }: PodRole): string | undefined {
  const leaving = new Set(others.map(({ payerRoleArn }) => payerRoleArn));
  return shards
    .flatMap(({ document }) => payerRolesOf(document))
    .find((arn) => parseRoleArn(arn).accountId !== payerAccountId && !leaving.has(arn));
}

function verdictOn(input: Input, seen: Observation, role: PodRole): Verdict {
  if (role.ownership === 'foreign') return { kind: 'not-ours' };
  if (role.ownership === 'other-deployment') return { kind: 'keep', why: 'another deployment made it' };
  const needed = needing(seen.others);
  if (needed) return { kind: 'keep', why: needed };
  const named = foreignPayerRole(input, seen, role);
  if (named) return { kind: 'keep', why: `its policies still name ${named}` };
  if (input.purge) return { kind: 'delete' };
  if (role.takenOver) return { kind: 'release', why: takenOver };
  const [foreign] = role.foreignPolicies;
  return foreign ? { kind: 'keep', why: `somebody has given it rights of their own: ${foreign}` } : { kind: 'delete' };
}

function roleRemoval(role: PodRole): Change[] {
  const detached = [...role.shards.map(({ arn }) => arn), ...role.foreignPolicies];
  return [
    ...[...new Set(detached)].map((resource) => ({ action: 'detach-policy' as const, resource, roleArn: role.arn })),
    ...role.shards.filter(({ document }) => holdsOnlyGrant(document)).flatMap(policyRemoval),
    ...role.inlinePolicies.map((policyName) => ({
      action: 'remove-role-policy' as const,
      resource: role.arn,
      note: policyName,
      policyName,
    })),
    { action: 'delete-role', resource: role.arn },
  ];
}

/** A trust policy cannot be empty: where ours is the only statement, it stays. The policies are the next step's. */
function roleRelease(input: Input, { arn, trust }: PodRole): Change[] {
  const others = trust.Statement.filter(({ Sid }) => Sid !== podSid(input));
  const changesTrust = others.length > 0 && others.length < trust.Statement.length;
  return [
    ...(changesTrust
      ? [{ action: 'update-trust' as const, resource: arn, trust: { ...trust, Statement: others } }]
      : []),
    { action: 'release-role', resource: arn },
  ];
}

/** What was given back no longer carries a mark of ours: that it stays, only the record tells. */
function released(changes: readonly Recorded[]): Removal['kept'] {
  const given = changes.filter(({ do: what }) => what === 'release-role' || what === 'release-association');
  return given.map(({ resource }) => ({ resource, why: takenOver }));
}

/**
 * Takes the role from the service account, with the last payer whose pods use it. Who still uses it the table tells, and the role's own
 * policies: an entry of somebody else in the file works through this role only if they name that entry's payer role.
 */
export const removePodRole = defineStep<'remove-pod-role', Input, Observation, Change>({
  name: 'remove-pod-role',
  summary: 'Takes the pods’ role away with the last payer that needs it: association or annotation, then the role.',
  lease: 'target',
  permissions: {
    table: ['GetItem', 'Query', 'UpdateItem'],
    cluster: [
      {
        actions: ['eks:ListPodIdentityAssociations'],
        resources: ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:cluster/${Cluster}'],
      },
      {
        actions: ['eks:DescribePodIdentityAssociation'],
        resources: ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:podidentityassociation/${Cluster}/*'],
      },
      {
        actions: ['eks:DeletePodIdentityAssociation', 'eks:UntagResource'],
        resources: ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:podidentityassociation/${Cluster}/*'],
        condition: taggedOurs,
      },
      {
        actions: ['eks:DescribeAccessEntry'],
        resources: [
          'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:access-entry/${Cluster}/role/${AWS::AccountId}/${ProvisionerName}/*',
        ],
      },
      {
        actions: ['iam:GetRole', 'iam:ListAttachedRolePolicies', 'iam:ListRolePolicies', 'iam:UpdateAssumeRolePolicy'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
      },
      {
        actions: ['iam:DeleteRole', 'iam:DeleteRolePolicy', 'iam:DetachRolePolicy', 'iam:UntagRole'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
        condition: taggedOurs,
      },
      {
        actions: [
          'iam:GetPolicy',
          'iam:GetPolicyVersion',
          'iam:ListPolicyVersions',
          'iam:DeletePolicy',
          'iam:DeletePolicyVersion',
        ],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kubecost-access-cur-in-payer-account-*'],
      },
    ],
    kubernetes: [rules.serviceAccount],
  },

  input({ run }): Input {
    const target = targetOf(run.request);
    const { clusterArn, namespace } = target;
    const { cluster, payerAccountId, purge } = run.request;
    const { cluster: found, serviceAccount } = outputOf(run, 'inventory');
    return {
      target,
      clusterArn,
      namespace,
      serviceAccount,
      payerAccountId,
      clusterName: cluster.name,
      clusterAccountId: cluster.accountId,
      region: cluster.region,
      clusterExists: found !== null,
      defaultRoleArn: roleArnOf(cluster.accountId, podRoleName(clusterArn, namespace, serviceAccount)),
      purge: purge.includes('pod-role'),
    };
  },

  async register(_cx, { target, payerAccountId }) {
    await markUnloaded(target, payerAccountId);
    return undefined;
  },

  async observe(cx, input): Promise<Observation> {
    const { target, serviceAccount: name, payerAccountId } = input;
    const [payers, payerTargets, association, serviceAccount] = await Promise.all([
      listServiceAccountPayers(target, name),
      listPayerTargets(payerAccountId),
      findAssociation(cx.cluster, input, cx.owner),
      findServiceAccount(cx, input),
    ]);
    const isOwn = (payer: (typeof payers)[number]) =>
      payer.payerAccountId === payerAccountId && payer.target === target;
    const arns = [
      input.defaultRoleArn,
      association?.roleArn,
      annotationOf(serviceAccount)?.roleArn,
      payers.find(isOwn)?.podRoleArn,
      ...payerTargets.filter((one) => one.targetId === targetId(target)).flatMap(({ podRoleArns }) => podRoleArns),
    ].filter((arn) => arn !== undefined && parseRoleArn(arn).accountId === input.clusterAccountId);
    const roles = await Promise.all([...new Set(arns)].map((arn) => readPodRole(cx, arn ?? '')));
    return {
      others: payers.filter((payer) => !isOwn(payer)),
      association,
      serviceAccount,
      roles: roles.filter((role) => role !== undefined),
    };
  },

  plan(input, seen, { changes: made }): Plan<Change, Outputs['remove-pod-role']> {
    const verdicts = new Map(seen.roles.map((role) => [role.arn, verdictOn(input, seen, role)]));
    const kept = released(made);
    const changes: Change[] = [];
    const { association, serviceAccount } = seen;
    const deleted = made.filter(({ do: what }) => what === 'delete-role').map(({ resource }) => resource);
    const goes = (roleArn: string) => verdicts.get(roleArn)?.kind === 'delete' || deleted.includes(roleArn);
    if (association?.ownership === 'ours') {
      const { arn: resource, id: associationId, roleArn } = association;
      const verdict = verdicts.get(roleArn);
      const why = verdict?.kind === 'keep' ? verdict.why : undefined;
      if (why ?? verdict?.kind === 'not-ours')
        kept.push({ resource, why: why ?? `it gives the pods ${roleArn}, which is not ours` });
      else if (association.takenOver && !input.purge) {
        changes.push({ action: 'release-association', resource, associationId });
        kept.push({ resource, why: takenOver });
      } else changes.push({ action: 'delete-association', resource, associationId });
    } else if (association && goes(association.roleArn))
      kept.push({
        resource: association.arn,
        why: `its owner made it; the role it names goes: ${association.roleArn}`,
      });
    const annotated = annotationOf(serviceAccount);
    const account = `${input.namespace}/${input.serviceAccount}`;
    if (annotated && isOurAnnotation(input, annotated, verdicts))
      changes.push({ action: 'remove-annotation', resource: account });
    else if (annotated && !annotated.isOurs && goes(annotated.roleArn))
      kept.push({
        resource: `ServiceAccount ${account}`,
        why: `its owner annotated it with ${annotated.roleArn}, which goes: take the annotation out of the Helm values`,
      });
    for (const role of seen.roles) {
      const verdict = verdictOn(input, seen, role);
      if ('why' in verdict) kept.push({ resource: role.arn, why: verdict.why });
      if (verdict.kind === 'release') changes.push(...roleRelease(input, role));
      if (verdict.kind === 'delete') changes.push(...roleRemoval(role));
    }
    const hidden = serviceAccount === 'hidden' && input.clusterExists;
    const warning = `we no longer have rights in namespace ${input.namespace}: if service account ${input.serviceAccount} still has the annotation ${roleAnnotation}, its owner has to remove it`;
    return changesOrReady(changes, {
      output: removalOf(made, kept),
      expected: removalOf(made, kept, changes),
      warnings: hidden ? [warning] : [],
    });
  },

  async apply(cx, change, { input }) {
    const iam = cx.cluster.client(IAMClient, iamRegion);
    const eks = cx.cluster.client(EKSClient, input.region);
    const { clusterName } = input;
    const isNotOurs = async () => (await findAssociation(cx.cluster, input, cx.owner))?.ownership !== 'ours';
    switch (change.action) {
      case 'delete-association': {
        const { associationId } = change;
        await deleteTagged(
          () =>
            absentIf(['ResourceNotFoundException', 'NotFoundException'], () =>
              eks.send(new DeletePodIdentityAssociationCommand({ clusterName, associationId })),
            ),
          isNotOurs,
        );
        break;
      }
      case 'release-association': {
        const tagKeys = Object.keys({ ...ownerTags(cx.owner), ...takenOverTags });
        await deleteTagged(
          () => eks.send(new UntagResourceCommand({ resourceArn: change.resource, tagKeys })),
          isNotOurs,
        );
        break;
      }
      case 'remove-annotation':
        await cx.kubernetes.patch(serviceAccountPath(input), {
          metadata: { annotations: { [roleAnnotation]: null, [annotatedBy]: null } },
        });
        break;
      case 'remove-role-policy':
      case 'release-role':
      case 'delete-role':
        await applyRoleRemoval(iam, change, cx.owner);
        break;
      case 'create-role':
      case 'update-trust':
      case 'tag-role':
        await applyRoleChange(iam, change, cx.owner);
        break;
      case 'create-policy':
      case 'create-policy-version':
      case 'delete-policy-version':
      case 'tag-policy':
      case 'delete-policy':
      case 'attach-policy':
      case 'detach-policy':
        await applyPolicyChange(iam, change, cx.owner);
        break;
    }
    return 'changed';
  },
});

interface Annotation {
  roleArn: string;
  /** We have set it, and nobody has changed it since. */
  isOurs: boolean;
}

function annotationOf(serviceAccount: Observation['serviceAccount']): Annotation | undefined {
  if (!serviceAccount || serviceAccount === 'hidden') return undefined;
  const { annotations = {} } = serviceAccount.metadata;
  const roleArn = annotations[roleAnnotation];
  return roleArn === undefined ? undefined : { roleArn, isOurs: annotations[annotatedBy] === roleArn };
}

/** The one that we made and whose role goes, or has gone; the owner's own only where purge names its role. */
function isOurAnnotation(
  { purge }: Input,
  { roleArn, isOurs }: Annotation,
  verdicts: ReadonlyMap<string, Verdict>,
): boolean {
  const verdict = verdicts.get(roleArn)?.kind;
  return isOurs ? verdict !== 'keep' : purge && verdict === 'delete';
}

export const handler = stepHandler(removePodRole);
