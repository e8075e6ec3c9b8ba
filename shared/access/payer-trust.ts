import { listOf, mergeStatements, type PolicyDocument, type Statement } from '../aws/policy-document.ts';
import { parseRoleArn } from '../aws/role.ts';
import { payerTrust, payerTrustSid } from './pod-trust.ts';

/** The pod roles of one cluster account that the payer role's trust policy lets in. */
function podRolesOf({ Statement: statements }: PolicyDocument, accountId: string): string[] {
  const there = statements.find(({ Sid }) => Sid === payerTrustSid(accountId));
  return listOf(there?.Condition?.ArnEquals?.['aws:PrincipalArn']);
}

export function withRole(trust: PolicyDocument, podRoleArn: string): PolicyDocument {
  const { accountId } = parseRoleArn(podRoleArn);
  const podRoleArns = new Set([...podRolesOf(trust, accountId), podRoleArn]);
  return mergeStatements(trust, [payerTrust(accountId, [...podRoleArns])]);
}

export function withoutRole(trust: PolicyDocument, podRoleArn: string): PolicyDocument {
  const { accountId } = parseRoleArn(podRoleArn);
  const kept = podRolesOf(trust, accountId).filter((arn) => arn !== podRoleArn);
  if (kept.length > 0) return mergeStatements(trust, [payerTrust(accountId, kept)]);
  return { ...trust, Statement: trust.Statement.filter(({ Sid }) => Sid !== payerTrustSid(accountId)) };
}

/** True for the statements that runs wrote; the others are somebody else's. */
export function isPodStatement({ Sid = '' }: Statement): boolean {
  return /^KubecostPods\d{12}$/.test(Sid);
}

/** Whom a statement lets in: our own name roles in a condition, for their principal is the whole account. */
export function admittedBy(statement: Statement): string[] {
  if (statement.Effect !== 'Allow') return [];
  if (isPodStatement(statement)) return listOf(statement.Condition?.ArnEquals?.['aws:PrincipalArn']);
  return typeof statement.Principal === 'object' ? Object.values(statement.Principal).flatMap(listOf) : ['*'];
}
