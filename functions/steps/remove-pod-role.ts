import { applyPodChange, type PodChange } from '../../shared/access/pod-change.ts';
import { podPolicyPermissions } from '../../shared/access/pod-policies.ts';
import { defaultPodRoleArn, findPodRole, podRolePermissions } from '../../shared/access/pod-role.ts';
import {
  annotationOf,
  findAnnotatedServiceAccount,
  roleAnnotation,
  serviceAccountRules,
} from '../../shared/access/service-account.ts';
import {
  associationPermissions,
  type AssociationPlace,
  findAssociation,
} from '../../shared/aws/pod-identity-association.ts';
import { parseRoleArn } from '../../shared/aws/role.ts';
import { accessEntryPermissions } from '../../shared/cluster/access-entry.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetId, targetOf } from '../../shared/model/target.ts';
import { decidePodRoles, type DepartingPod, type PodRoleUse } from '../../shared/offboarding/pod-access-decisions.ts';
import { removalPlan } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listServiceAccountPayers, markUnloaded } from '../../shared/targets/payers-of-target.ts';
import { listPayerTargets } from '../../shared/targets/targets-of-payer.ts';

interface Input extends DepartingPod, AssociationPlace {
  target: Target;
  clusterAccountId: string;
  clusterExists: boolean;
  defaultRoleArn: string;
}

/**
 * Removes the role from the service account when the last payer that uses it is offboarded. The table and the role's policies show which
 * payers still use it.
 */
export const removePodRole = defineStep({
  name: 'remove-pod-role',
  summary: 'Removes the association or annotation and then the pods’ role, with the last payer that needs the role.',
  lease: 'target',
  permissions: {
    table: ['GetItem', 'Query', 'UpdateItem'],
    cluster: [
      associationPermissions.list,
      associationPermissions.describe,
      associationPermissions.remove,
      accessEntryPermissions.read,
      podRolePermissions.readAndRelease,
      podRolePermissions.remove,
      podPolicyPermissions.remove,
    ],
    kubernetes: serviceAccountRules.annotate,
  },

  input({ run }): Input {
    const { cluster, payerAccountId, purge } = run.request;
    const { cluster: found, serviceAccount } = outputOf(run, 'inventory');
    const target = targetOf(run.request);
    return {
      target,
      clusterArn: target.clusterArn,
      namespace: target.namespace,
      serviceAccount,
      payerAccountId,
      clusterName: cluster.name,
      clusterAccountId: cluster.accountId,
      region: cluster.region,
      clusterExists: found !== null,
      defaultRoleArn: defaultPodRoleArn(run.request, serviceAccount),
      purge: purge.includes('pod-role'),
    };
  },

  async register(_cx, { target, payerAccountId }) {
    await markUnloaded(target, payerAccountId);
    return undefined;
  },

  async observe(cx, input): Promise<PodRoleUse> {
    const { target, payerAccountId } = input;
    const [payers, payerTargets, association, serviceAccount] = await Promise.all([
      listServiceAccountPayers(target, input.serviceAccount),
      listPayerTargets(payerAccountId),
      findAssociation(cx.cluster, input, cx.owner),
      input.clusterExists ? findAnnotatedServiceAccount(cx, input) : ('hidden' as const),
    ]);
    const isOwn = (payer: (typeof payers)[number]) =>
      payer.payerAccountId === payerAccountId && payer.target === target;
    const arns = [
      input.defaultRoleArn,
      association?.roleArn,
      annotationOf(serviceAccount)?.roleArn,
      payers.find(isOwn)?.podRoleArn,
      ...payerTargets.filter((one) => one.targetId === targetId(target)).flatMap(({ podRoleArns }) => podRoleArns),
    ].filter((arn) => arn !== undefined);
    const inAccount = arns.filter((arn) => parseRoleArn(arn).accountId === input.clusterAccountId);
    const roles = await Promise.all([...new Set(inAccount)].map((arn) => findPodRole(cx.cluster, arn, cx.owner)));
    return {
      others: payers.filter((payer) => !isOwn(payer)),
      association,
      serviceAccount,
      roles: roles.filter((role) => role !== undefined),
    };
  },

  plan(input, seen, { changes: made }): Plan<PodChange, Outputs['remove-pod-role']> {
    const isHidden = seen.serviceAccount === 'hidden' && input.clusterExists;
    const warning = `we no longer have rights in namespace ${input.namespace}: if service account ${input.serviceAccount} still has the annotation ${roleAnnotation}, its owner has to remove it`;
    return removalPlan(made, decidePodRoles(input, seen, made), isHidden ? [warning] : []);
  },

  apply: (cx, change, { input }) => applyPodChange(cx, change, input),
});

export const handler = stepHandler(removePodRole);
