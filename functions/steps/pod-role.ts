import { applyPodChange, type PodChange } from '../../shared/access/pod-change.ts';
import { defaultPodRoleArn, podRoleChanges, podRolePermissions } from '../../shared/access/pod-role.ts';
import {
  admitsPod,
  type PodIdentity,
  type PodTrust,
  serviceAccountOf,
  subjectOf,
  subjectsIn,
  webIdentityTrust,
} from '../../shared/access/pod-trust.ts';
import {
  annotationOf,
  findServiceAccount,
  mayBeOverwritten,
  roleAnnotation,
  type SeenServiceAccount,
  serviceAccountChanges,
  serviceAccountRules,
} from '../../shared/access/service-account.ts';
import {
  findOidcProvider,
  type OidcProvider,
  oidcProviderArnOf,
  oidcProviderChanges,
  oidcProviderPermission,
} from '../../shared/aws/oidc-provider.ts';
import { findRole, parseRoleArn, type SeenRole } from '../../shared/aws/role.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

interface Input extends PodIdentity {
  clusterAccountId: string;
  /** Host and path of the OIDC issuer. */
  issuer: string;
  oidcProviderArn: string;
  defaultRoleArn: string;
  create: boolean;
  takeOver: boolean;
}

interface Observation {
  provider: OidcProvider | undefined;
  serviceAccount: SeenServiceAccount;
  /** The role that the service account is annotated with, or the default one. */
  roleArn: string;
  role: SeenRole | undefined;
}

/** IRSA: the cluster's OIDC provider, a role that trusts exactly one service account, and the annotation that names it. */
export const podRole = defineStep({
  name: 'pod-role',
  summary: 'Gives the service account an IAM role through the cluster’s OIDC provider (IRSA).',
  permissions: {
    cluster: [oidcProviderPermission, podRolePermissions.complete],
    kubernetes: serviceAccountRules.complete,
  },

  input(cx): Input {
    const { request } = cx.run;
    const { serviceAccount } = outputOf(cx.run, 'discovery');
    const issuer = outputOf(cx.run, 'preflight').oidcIssuer.replace(/^https:\/\//, '');
    return {
      clusterArn: clusterArnOf(request),
      namespace: request.kubecost.namespace,
      serviceAccount,
      clusterAccountId: request.cluster.accountId,
      issuer,
      oidcProviderArn: oidcProviderArnOf(request.cluster.accountId, issuer),
      defaultRoleArn: defaultPodRoleArn(request, serviceAccount),
      create: request.identity.serviceAccount.create,
      takeOver: request.existing === 'take-over',
    };
  },

  async observe(cx, input): Promise<Observation> {
    const [provider, serviceAccount] = await Promise.all([
      findOidcProvider(cx.cluster, input.oidcProviderArn),
      findServiceAccount(cx, input),
    ]);
    const roleArn = annotationOf(serviceAccount)?.roleArn ?? input.defaultRoleArn;
    const isInAccount = parseRoleArn(roleArn).accountId === input.clusterAccountId;
    const role = isInAccount ? await findRole(cx.cluster, roleArn, cx.owner) : undefined;
    return { provider, serviceAccount, roleArn, role };
  },

  plan(input, seen): Plan<PodChange, Outputs['pod-role']> {
    const { provider, serviceAccount, role } = seen;
    const { oidcProviderArn } = input;
    const roleArn = role?.arn ?? seen.roleArn;
    const output = { podRoleArn: roleArn, serviceAccount: input.serviceAccount, oidcProviderArn };
    const isKnown = role !== undefined || roleArn === input.defaultRoleArn;
    const problem = roleProblem(input, seen);
    if (problem) return { kind: 'refuse', ...problem, ...(isKnown && { expected: output }) };
    const changes = [
      ...oidcProviderChanges(provider, oidcProviderArn),
      ...podRoleChanges(role, roleArn, trustFor(input)),
      ...serviceAccountChanges(serviceAccount, input, roleArn),
    ];
    const warnings = mayBeOverwritten(serviceAccount) ? [helmWarning(input, roleArn)] : [];
    return changesOrReady(changes, { output, warnings });
  },

  apply: (cx, change, { input }) => applyPodChange(cx, change, input),
});

function trustFor(input: Input): PodTrust {
  return webIdentityTrust(input, input.oidcProviderArn, input.issuer);
}

function roleProblem(input: Input, { roleArn, role, serviceAccount }: Observation): Problem | undefined {
  const account = serviceAccountOf(input);
  if (!serviceAccount && !input.create) return { code: 'service-account-missing', detail: account };
  const annotated = `${account} is annotated with ${roleArn}`;
  if (parseRoleArn(roleArn).accountId !== input.clusterAccountId)
    return { code: 'pod-role-not-ours', detail: `${annotated}, which is not in the cluster’s account` };
  if (!role)
    return roleArn === input.defaultRoleArn
      ? undefined
      : { code: 'pod-role-not-ours', detail: `${annotated}, which does not exist: remove the annotation` };
  if (role.ownership === 'other-deployment') return { code: 'owned-by-another-deployment', detail: role.arn };
  if (role.ownership === 'ours' || input.takeOver) return undefined;
  if (admitsPod(role.trust, trustFor(input)))
    return { code: 'pod-role-not-ours', detail: `${role.arn} would be the role of ${account}` };
  const trusted = subjectsIn(role.trust).join(', ') || 'no service account';
  const detail = `${role.arn} trusts ${trusted}, but the pod runs as ${subjectOf(input)}`;
  return { code: 'service-account-subject-mismatch', detail };
}

function helmWarning(input: Input, roleArn: string): string {
  return `Helm manages ${serviceAccountOf(input)}: add the annotation ${roleAnnotation}: ${roleArn} to serviceAccount.annotations in its values, or the next upgrade may remove it`;
}

export const handler = stepHandler(podRole);
