/** What an offboarding does with the pods' roles, and with the association and annotation that give a role to the service account. */
import { payerRolesOf } from '../access/grant-policy.ts';
import type { PodChange } from '../access/pod-change.ts';
import { type PodRole, podRoleRelease, podRoleRemoval } from '../access/pod-role.ts';
import { type PodIdentity, serviceAccountOf } from '../access/pod-trust.ts';
import { annotationOf, type SeenServiceAccount } from '../access/service-account.ts';
import type { Association } from '../aws/pod-identity-association.ts';
import { parseRoleArn } from '../aws/role.ts';
import type { Change } from '../model/run-schemas.ts';
import { type Target, targetId } from '../model/target.ts';
import type { RemovalDecision } from '../step/removal-decision.ts';
import { needsTarget, type TargetPayer } from '../targets/payers-of-target.ts';

export interface DepartingPod extends PodIdentity {
  payerAccountId: string;
  /** The request names `pod-role`: what a run took over is deleted too. */
  purge: boolean;
}

export interface PodRoleUse {
  /** Other payers whose pods run as the same service account. */
  others: (TargetPayer & { target: Target })[];
  association: Association | undefined;
  serviceAccount: SeenServiceAccount;
  /** The roles that the service account has, or has had from us. */
  roles: PodRole[];
}

type Part = RemovalDecision<PodChange>;

/** Keeps a role, gives it back to its owner, deletes it, or does not touch it because it is not ours. */
type RoleDecision = { kind: 'keep' | 'release'; why: string } | { kind: 'delete' | 'not-ours' };

interface RoleDecisions {
  on(roleArn: string): RoleDecision | undefined;
  /** Also if an earlier invocation deleted it. */
  deletes(roleArn: string): boolean;
}

const nothing: Part = { changes: [], kept: [] };
const keptTakenOver = 'adopted: kept unless purge names pod-role';

/** @param made the recorded changes of this step */
export function decidePodRoles(pod: DepartingPod, use: PodRoleUse, made: readonly Change[]): Part[] {
  const byRole = new Map(use.roles.map((role) => [role.arn, decide(pod, use, role)]));
  const deleted = made.filter(({ do: action }) => action === 'delete-role').map(({ resource }) => resource);
  const decisions: RoleDecisions = {
    on: (roleArn) => byRole.get(roleArn),
    deletes: (roleArn) => byRole.get(roleArn)?.kind === 'delete' || deleted.includes(roleArn),
  };
  return [
    releasedBefore(made),
    associationPart(pod, use.association, decisions),
    annotationPart(pod, use.serviceAccount, decisions),
    ...use.roles.map((role) => rolePart(pod, role, decisions)),
  ];
}

function decide(pod: DepartingPod, use: PodRoleUse, role: PodRole): RoleDecision {
  if (role.ownership === 'foreign') return { kind: 'not-ours' };
  const why = whyRoleStays(pod, use, role);
  if (why !== undefined) return { kind: 'keep', why };
  if (pod.purge) return { kind: 'delete' };
  if (role.takenOver) return { kind: 'release', why: keptTakenOver };
  const [foreign] = role.foreignPolicies;
  if (foreign === undefined) return { kind: 'delete' };
  return { kind: 'keep', why: `somebody else attached a policy to it: ${foreign}` };
}

/** Why a role stays even if the request names it. */
function whyRoleStays(pod: DepartingPod, { others }: PodRoleUse, role: PodRole): string | undefined {
  if (role.ownership === 'other-deployment') return 'another deployment made it';
  const [first, ...more] = others.filter(needsTarget);
  const rest = more.length > 0 ? ` and ${more.length} more` : '';
  if (first) return `another payer’s entry still needs it: ${first.payerAccountId} at ${targetId(first.target)}${rest}`;
  const named = unknownPayerRole(pod, others, role);
  return named === undefined ? undefined : `its policies still name ${named}`;
}

/**
 * A payer role in the role's policies that the table does not mark as removed, because an emptied table takes no access away. An entry
 * that somebody else put into the file also works through this role only if the policies name its payer role.
 */
function unknownPayerRole(
  { payerAccountId }: DepartingPod,
  others: PodRoleUse['others'],
  { shards }: PodRole,
): string | undefined {
  const removed = new Set(others.map(({ payerRoleArn }) => payerRoleArn));
  return shards
    .flatMap(({ document }) => payerRolesOf(document))
    .find((arn) => parseRoleArn(arn).accountId !== payerAccountId && !removed.has(arn));
}

/** A resource that was given back has no tag of ours any more, so only the run's record shows why it stays. */
function releasedBefore(made: readonly Change[]): Part {
  const released = made.filter(({ do: action }) => action === 'release-role' || action === 'release-association');
  return { changes: [], kept: released.map(({ resource }) => ({ resource, why: keptTakenOver })) };
}

function rolePart(pod: DepartingPod, role: PodRole, decisions: RoleDecisions): Part {
  const decision = decisions.on(role.arn);
  if (decision?.kind === 'delete') return { changes: podRoleRemoval(role), kept: [] };
  if (decision?.kind !== 'keep' && decision?.kind !== 'release') return nothing;
  const changes = decision.kind === 'release' ? podRoleRelease(role, pod) : [];
  return { changes, kept: [{ resource: role.arn, why: decision.why }] };
}

function associationPart(pod: DepartingPod, association: Association | undefined, decisions: RoleDecisions): Part {
  if (!association) return nothing;
  const { arn: resource, id: associationId, roleArn } = association;
  const keep = (why: string): Part => ({ changes: [], kept: [{ resource, why }] });
  if (association.ownership !== 'ours')
    return decisions.deletes(roleArn) ? keep(`its owner made it, but its role ${roleArn} is deleted`) : nothing;
  const decision = decisions.on(roleArn);
  if (decision?.kind === 'keep') return keep(decision.why);
  if (decision?.kind === 'not-ours') return keep(`it gives the pods ${roleArn}, which is not ours`);
  return association.takenOver && !pod.purge
    ? { ...keep(keptTakenOver), changes: [{ action: 'release-association', resource, associationId }] }
    : { changes: [{ action: 'delete-association', resource, associationId }], kept: [] };
}

/** We remove the annotation that we set, unless its role stays; the owner's own only if the request names its role. */
function annotationPart(pod: DepartingPod, serviceAccount: SeenServiceAccount, decisions: RoleDecisions): Part {
  const annotation = annotationOf(serviceAccount);
  if (!annotation) return nothing;
  const { roleArn, isOurs } = annotation;
  const decision = decisions.on(roleArn)?.kind;
  const isRemoved = isOurs ? decision !== 'keep' : pod.purge && decision === 'delete';
  if (isRemoved) return { changes: [{ action: 'remove-annotation', resource: serviceAccountOf(pod) }], kept: [] };
  if (isOurs || !decisions.deletes(roleArn)) return nothing;
  const why = `its owner set the annotation ${roleArn}, a role that is deleted: remove the annotation from the Helm values`;
  return { changes: [], kept: [{ resource: `ServiceAccount ${serviceAccountOf(pod)}`, why }] };
}
