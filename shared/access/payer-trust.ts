/** The payer role's trust policy as data: its wanted statements, and the principals that it allows. */
import {
  listOf,
  mergeStatements,
  policyCharacters,
  type PolicyDocument,
  policyOf,
  type Statement,
} from '../aws/policy-document.ts';
import { parseRoleArn } from '../aws/role.ts';
import { trusts } from '../aws/trust-policy.ts';
import { type Target, targetId } from '../model/target.ts';
import type { PayerTarget } from '../targets/targets-of-payer.ts';
import { assumeActions } from './pod-trust.ts';

/** Characters of a trust policy in an account that has not asked for more (IAM quota "Role trust policy length"). */
export const maxTrustCharacters = 2048;

const sidOf = (clusterAccountId: string) => `KubecostPods${clusterAccountId}`;

/**
 * The account as principal and the roles as condition: IAM resolves a role named as principal to its id, so that a
 * re-created role would be locked out. No external id: Kubecost sends none.
 */
export function payerTrust(clusterAccountId: string, podRoleArns: readonly string[]): Statement {
  return {
    Sid: sidOf(clusterAccountId),
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${clusterAccountId}:root` },
    Action: [...assumeActions],
    Condition: { ArnEquals: { 'aws:PrincipalArn': [...podRoleArns].sort() } },
  };
}

/**
 * For an onboarding: every pod role that a run has registered or that is in the trust policy already. Only roles marked `removing` are
 * removed, so an empty or restored table takes no access away. Another target's role that does not fit is left out, and its own run fails.
 */
export function completePayerTrust(
  existing: PolicyDocument | undefined,
  podRoleArn: string,
  targets: readonly PayerTarget[],
): PolicyDocument {
  const registered = (wanted: PayerTarget['state']) =>
    targets.filter(({ state }) => state === wanted).flatMap(({ podRoleArns }) => podRoleArns);
  const active = [podRoleArn, ...registered('active')];
  const removed = registered('removing').filter((arn) => !active.includes(arn));
  const own = withRole(removed.reduce(withoutRole, existing ?? policyOf()), podRoleArn);
  return active.reduce((trust, arn) => {
    const more = withRole(trust, arn);
    return policyCharacters(more) > maxTrustCharacters ? trust : more;
  }, own);
}

/** A target whose payer is offboarded. */
export interface DepartingTarget {
  target: Target;
  /** The pod role by our naming rule; the table may have further ones. */
  podRoleArn: string;
}

/** Active targets of the payer, without the departing one. */
export function remainingTargets({ target }: DepartingTarget, targets: readonly PayerTarget[]): PayerTarget[] {
  return targets.filter(({ targetId: id, state }) => id !== targetId(target) && state === 'active');
}

/** For an offboarding: the trust policy without the departing pod roles. A pod role that a remaining target shares stays. */
export function remainingTrust(
  departing: DepartingTarget,
  existing: PolicyDocument,
  targets: readonly PayerTarget[],
): PolicyDocument {
  const remaining = remainingTargets(departing, targets);
  const needed = new Set(remaining.flatMap(({ podRoleArns }) => podRoleArns));
  const others = targets.filter((target) => !remaining.includes(target)).flatMap(({ podRoleArns }) => podRoleArns);
  return [departing.podRoleArn, ...others].filter((arn) => !needed.has(arn)).reduce(withoutRole, existing);
}

/** True for the statements that runs wrote; the others are somebody else's. */
export function isPodStatement({ Sid = '' }: Statement): boolean {
  return /^KubecostPods\d{12}$/.test(Sid);
}

/** Principals that a statement allows. Our statements name roles in a condition, because their principal is the whole account. */
export function admittedBy(statement: Statement): string[] {
  if (statement.Effect !== 'Allow') return [];
  if (isPodStatement(statement)) return rolesIn(statement);
  return typeof statement.Principal === 'object' ? Object.values(statement.Principal).flatMap(listOf) : ['*'];
}

export function admitsPodRole(trust: PolicyDocument, podRoleArn: string, action: string): boolean {
  const context = { 'aws:PrincipalArn': podRoleArn };
  return trusts(trust, { principal: { AWS: podRoleArn }, action, context });
}

/** True if a statement allows every principal of the account that may assume the role, as the tutorial's does. */
export function trustsWholeAccount({ Statement: statements }: PolicyDocument, accountId: string): boolean {
  const names = [accountId, `arn:aws:iam::${accountId}:root`];
  return statements.some(
    ({ Effect, Principal, Condition }) =>
      Effect === 'Allow' &&
      !Condition &&
      typeof Principal === 'object' &&
      listOf(Principal.AWS).some((principal) => names.includes(principal)),
  );
}

function rolesIn(statement: Statement | undefined): string[] {
  return listOf(statement?.Condition?.ArnEquals?.['aws:PrincipalArn']);
}

function podRolesOf({ Statement: statements }: PolicyDocument, accountId: string): string[] {
  return rolesIn(statements.find(({ Sid }) => Sid === sidOf(accountId)));
}

function withRole(trust: PolicyDocument, podRoleArn: string): PolicyDocument {
  const { accountId } = parseRoleArn(podRoleArn);
  const podRoleArns = new Set([...podRolesOf(trust, accountId), podRoleArn]);
  return mergeStatements(trust, [payerTrust(accountId, [...podRoleArns])]);
}

function withoutRole(trust: PolicyDocument, podRoleArn: string): PolicyDocument {
  const { accountId } = parseRoleArn(podRoleArn);
  const kept = podRolesOf(trust, accountId).filter((arn) => arn !== podRoleArn);
  if (kept.length > 0) return mergeStatements(trust, [payerTrust(accountId, kept)]);
  return { ...trust, Statement: trust.Statement.filter(({ Sid }) => Sid !== sidOf(accountId)) };
}
