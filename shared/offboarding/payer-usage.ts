import { IAMClient } from '@aws-sdk/client-iam';
import { admittedBy, isPodStatement, withoutRole } from '../access/payer-trust.ts';
import { payerRoleName, podRoleName } from '../aws/names.ts';
import type { PolicyDocument } from '../aws/policy-document.ts';
import { findRole, iamRegion, roleArnOf, type SeenRole } from '../aws/role.ts';
import { outputOf, type RunRecord } from '../model/run.ts';
import { targetId } from '../model/target.ts';
import { clusterArnOf, type Target, targetOf } from '../model/target.ts';
import type { StepContext } from '../step/contract.ts';
import { listPayerTargets, type PayerTarget } from '../targets/payer-targets.ts';

/** The target that an offboarding takes away from its payer. */
export interface Leaving {
  payerAccountId: string;
  target: Target;
  /** By our naming rule; the table may know further ones. */
  podRoleArn: string;
}

/** Who uses what the targets of a payer share: role, crawler stack, results bucket, report. */
export interface PayerUsers {
  targets: PayerTarget[];
  role: SeenRole | undefined;
}

export function leavingOf(run: RunRecord<'offboarding'>): Leaving {
  const { request } = run;
  const { serviceAccount } = outputOf(run, 'inventory');
  const name = podRoleName(clusterArnOf(request), request.kubecost.namespace, serviceAccount);
  return {
    payerAccountId: request.payerAccountId,
    target: targetOf(request),
    podRoleArn: roleArnOf(request.cluster.accountId, name),
  };
}

export async function readPayerUsers(cx: StepContext<'offboarding'>): Promise<PayerUsers> {
  const [targets, role] = await Promise.all([
    listPayerTargets(cx.payer.accountId),
    findRole(cx.payer.client(IAMClient, iamRegion), payerRoleName, cx.owner),
  ]);
  return { targets, role };
}

function othersOf({ target }: Leaving, targets: PayerTarget[]): PayerTarget[] {
  return targets.filter(({ targetId: id, state }) => id !== targetId(target) && state === 'active');
}

/** The trust policy without the pods that leave; targets may share a pod role, and who stays keeps it. */
export function remainingTrust(leaving: Leaving, trust: PolicyDocument, targets: PayerTarget[]): PolicyDocument {
  const others = othersOf(leaving, targets);
  const staying = new Set(others.flatMap(({ podRoleArns }) => podRoleArns));
  const gone = targets.filter((target) => !others.includes(target)).flatMap(({ podRoleArns }) => podRoleArns);
  return [leaving.podRoleArn, ...gone].filter((arn) => !staying.has(arn)).reduce(withoutRole, trust);
}

/**
 * Why what the targets share has to stay; empty if nobody else needs it. The table may have been emptied or restored, so whom the role
 * lets in counts as well: on a role that was taken over only what runs have added, for the rest was there before.
 */
export function reasonsToStay(leaving: Leaving, { targets, role }: PayerUsers): string[] {
  const others = othersOf(leaving, targets);
  const known = new Set(others.flatMap(({ podRoleArns }) => podRoleArns));
  const statements =
    role?.ownership === 'ours'
      ? remainingTrust(leaving, role.trust, targets).Statement.filter((one) => !role.takenOver || isPodStatement(one))
      : [];
  const strangers = statements.flatMap(admittedBy).filter((name) => !known.has(name));
  return [
    ...others.map(({ targetId: id }) => `another target still needs it: ${id}`),
    ...strangers.map((name) => `the payer role’s trust still names ${name}`),
  ];
}
