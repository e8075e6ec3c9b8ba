import { applyPodChange, type PodChange } from '../../shared/access/pod-change.ts';
import { defaultPodRoleArn, podRoleChanges, podRolePermissions } from '../../shared/access/pod-role.ts';
import { admitsPod, type PodIdentity, podIdentityTrust, serviceAccountOf } from '../../shared/access/pod-trust.ts';
import {
  type Association,
  associationChanges,
  associationPermissions,
  type AssociationPlace,
  findAssociation,
} from '../../shared/aws/pod-identity-association.ts';
import { findRole, type SeenRole } from '../../shared/aws/role.ts';
import { knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady, waitFor } from '../../shared/step/plan-builders.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

interface Input extends PodIdentity, AssociationPlace {
  available: boolean;
  defaultRoleArn: string;
  takeOver: boolean;
}

interface Observation {
  association: Association | undefined;
  /** The association's role, or the default one. */
  role: SeenRole | undefined;
}

/** EKS rejects a role that it does not see yet; most roles are visible after this time. */
const roleVisibleMs = 10_000;

/** EKS Pod Identity: a role that trusts the one service account, and the association that gives it to the pods. */
export const podIdentity = defineStep({
  name: 'pod-identity',
  summary: 'Gives the service account an IAM role through EKS Pod Identity.',
  permissions: {
    cluster: [
      associationPermissions.list,
      associationPermissions.create,
      associationPermissions.describe,
      associationPermissions.tag,
      podRolePermissions.complete,
      podRolePermissions.pass,
    ],
  },
  waits: { 'aws-unavailable': { seconds: 5, longestSeconds: 60 } },

  input(cx): Input {
    const { request } = cx.run;
    const { serviceAccount } = outputOf(cx.run, 'discovery');
    return {
      clusterArn: clusterArnOf(request),
      clusterName: request.cluster.name,
      region: request.cluster.region,
      namespace: request.kubecost.namespace,
      serviceAccount,
      available: outputOf(cx.run, 'preflight').podIdentityAvailable,
      defaultRoleArn: defaultPodRoleArn(request, serviceAccount),
      takeOver: request.existing === 'take-over',
    };
  },

  async observe(cx, input): Promise<Observation> {
    const association = await findAssociation(cx.cluster, input, cx.owner);
    const role = await findRole(cx.cluster, association?.roleArn ?? input.defaultRoleArn, cx.owner);
    return { association, role };
  },

  plan(input, seen, { run, now }): Plan<PodChange, Outputs['pod-identity']> {
    const { association, role } = seen;
    const podRoleArn = association?.roleArn ?? role?.arn ?? input.defaultRoleArn;
    const associationId = association?.id ?? knownAfter('pod-identity');
    const output = { podRoleArn, serviceAccount: input.serviceAccount, associationId };
    const problem = ownerProblem(input, seen);
    if (problem) return { kind: 'refuse', ...problem, ...((role ?? !association) && { expected: output }) };
    const changes: PodChange[] = podRoleChanges(role, podRoleArn, podIdentityTrust(input));
    const youngMs = role ? role.createdAt + roleVisibleMs - now : 0;
    if (!association && changes.length === 0 && youngMs > 0) return waitForRole(output, youngMs);
    // A new role is created before the association, in a round of its own; a dry run shows both changes.
    if (association || role || run.request.dryRun) {
      const place = `${input.clusterArn} ${serviceAccountOf(input)}`;
      changes.push(...associationChanges(association, place, podRoleArn));
    }
    return changesOrReady(changes, { output, warnings: [] });
  },

  apply: (cx, change, { input }) => applyPodChange(cx, change, input),
});

function ownerProblem(input: Input, { association, role }: Observation): Problem | undefined {
  if (!input.available) return { code: 'pod-identity-agent-missing', detail: `cluster ${input.clusterName}` };
  const elsewhere = [association, role].find((one) => one?.ownership === 'other-deployment');
  if (elsewhere) return { code: 'owned-by-another-deployment', detail: elsewhere.arn };
  if (association && !role && association.roleArn !== input.defaultRoleArn) {
    const detail = `${describe(input, association)}, which does not exist: delete the association`;
    return { code: 'association-not-ours', detail };
  }
  if (input.takeOver) return undefined;
  if (association?.ownership === 'foreign')
    return role && !admitsPod(role.trust, podIdentityTrust(input), 'sts:TagSession')
      ? { code: 'tag-session-missing', detail: `trust policy of ${role.arn}` }
      : { code: 'association-not-ours', detail: describe(input, association) };
  return role?.ownership === 'foreign' ? { code: 'pod-role-not-ours', detail: role.arn } : undefined;
}

function describe(input: Input, { roleArn }: Association): string {
  return `${serviceAccountOf(input)} is associated with ${roleArn}`;
}

function waitForRole(expected: Outputs['pod-identity'], youngMs: number) {
  return waitFor(
    {
      reason: `EKS to see role ${expected.podRoleArn}`,
      seconds: Math.ceil(youngMs / 1000),
      deadlineSeconds: 60,
      overdue: 'aws-unavailable',
    },
    expected,
  );
}

export const handler = stepHandler(podIdentity);
