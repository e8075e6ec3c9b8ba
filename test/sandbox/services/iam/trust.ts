import { effectOf, listOf, type PolicyDocument, type Question, type Statement } from '../../policy-evaluation.ts';
import type { Caller } from '../../service.ts';
import { malformed, readTrustPolicy, type StoredPolicy } from './policy-documents.ts';
import type { IamState } from './state.ts';

/** A trust policy. IAM stores a role principal by its unique id, so a re-created role with the same ARN is not trusted. */
export interface Trust extends StoredPolicy {
  roleIds: ReadonlyMap<string, string>;
}

export type TrustedPrincipal = { caller: Caller } | { service: string } | { federated: string };

/** `account`: the caller's account is trusted as a whole, so the caller also needs a policy of its own. */
export type Trusted = 'named' | 'account' | 'no' | 'explicit-deny';

export function readTrust(text: string | undefined, iam: IamState): Trust {
  const stored = readTrustPolicy(text);
  const roleIds = new Map<string, string>();
  for (const statement of listOf(stored.document.Statement))
    for (const [kind, named] of Object.entries(principalsOf(statement)))
      for (const principal of named) {
        const roleId = checkPrincipal(kind, principal, iam);
        if (roleId !== undefined) roleIds.set(principal, roleId);
      }
  return { ...stored, roleIds };
}

function principalsOf({ Principal }: Statement): Record<string, string[]> {
  if (typeof Principal !== 'object') return { AWS: listOf(Principal) };
  return Object.fromEntries(Object.entries(Principal).map(([kind, named]) => [kind, listOf(named)]));
}

/** Returns the id of the role that the principal names. */
function checkPrincipal(kind: string, principal: string, iam: IamState): string | undefined {
  const refused = malformed(`Invalid principal in policy: "${kind.toUpperCase()}":"${principal}"`);
  switch (kind) {
    case 'AWS': {
      if (/^(\*|\d{12}|arn:aws:iam::\d{12}:root|arn:aws:sts::\d{12}:assumed-role\/[^/]+\/[^/]+)$/.test(principal))
        return;
      // A role that has just been created is refused like a missing one.
      const role = iam.effectiveRoleByArn(principal);
      if (!role) throw refused;
      return role.id;
    }
    case 'Service':
      if (!/^[a-z0-9.-]+\.amazonaws\.com$/.test(principal)) throw refused;
      return;
    case 'Federated':
      if (!/^(arn:aws:iam::\d{12}:(oidc-provider|saml-provider)\/.+|cognito-identity\.amazonaws\.com)$/.test(principal))
        throw refused;
      return;
    default:
      throw refused;
  }
}

/** The document as IAM shows it: a deleted role appears as its id. */
export function shownTrust({ text, roleIds }: Trust, iam: IamState): string {
  let shown = text;
  for (const [arn, id] of roleIds) if (iam.roleByArn(arn)?.id !== id) shown = shown.replaceAll(`"${arn}"`, `"${id}"`);
  return shown;
}

export function trusted(trust: Trust, principal: TrustedPrincipal, question: Question): Trusted {
  const byName: Statement[] = [];
  const byAccount: Statement[] = [];
  for (const statement of listOf(trust.document.Statement)) {
    const match = matchPrincipal(statement, principal, trust.roleIds);
    if (match) (match === 'named' ? byName : byAccount).push(statement);
  }
  const effect = (statements: Statement[]) => effectOf([policyOf(statements)], question);
  const [named, account] = [effect(byName), effect(byAccount)];
  if (named === 'explicit-deny' || account === 'explicit-deny') return 'explicit-deny';
  if (named === 'allow') return 'named';
  return account === 'allow' ? 'account' : 'no';
}

function policyOf(statements: Statement[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: statements };
}

function matchPrincipal(
  statement: Statement,
  principal: TrustedPrincipal,
  roleIds: ReadonlyMap<string, string>,
): 'named' | 'account' | undefined {
  const { AWS = [], Service = [], Federated = [] } = principalsOf(statement);
  if ('service' in principal) return Service.includes(principal.service) ? 'named' : undefined;
  if ('federated' in principal) return Federated.includes(principal.federated) ? 'named' : undefined;
  const { caller } = principal;
  const names = (arn: string) =>
    arn === caller.arn || (arn === caller.roleArn && (!caller.roleId || caller.roleId === roleIds.get(arn)));
  if (AWS.some(names)) return 'named';
  const accounts = ['*', caller.accountId, `arn:aws:iam::${caller.accountId}:root`];
  return AWS.some((one) => accounts.includes(one)) ? 'account' : undefined;
}
