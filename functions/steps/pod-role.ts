import {
  AddClientIDToOpenIDConnectProviderCommand,
  CreateOpenIDConnectProviderCommand,
  GetOpenIDConnectProviderCommand,
  IAMClient,
} from '@aws-sdk/client-iam';
import {
  annotatedBy,
  type PodIdentity,
  roleAnnotation,
  webIdentityContext,
  webIdentityTrust,
} from '../../shared/access/pod-trust.ts';
import { podRoleName } from '../../shared/aws/names.ts';
import { mergeStatements, type PolicyDocument, policyOf } from '../../shared/aws/policy-document.ts';
import {
  applyRoleChange,
  findRole,
  iamRegion,
  parseRoleArn,
  roleArnOf,
  type RoleChange,
  roleChanges,
  type SeenRole,
} from '../../shared/aws/role.ts';
import { ownerTags, toTagList } from '../../shared/aws/tags.ts';
import { trusts } from '../../shared/aws/trust-policy.ts';
import { unlessHidden } from '../../shared/cluster/connection.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { absentIf, unlessTaken } from '../../shared/errors/errors.ts';
import type { KubernetesObject } from '../../shared/kubernetes/client.ts';
import { isHelmManaged, ownerLabels } from '../../shared/kubernetes/ownership-labels.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
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
  provider: { clientIds: string[] } | undefined;
  serviceAccount: KubernetesObject | undefined | 'hidden';
  /** The role the service account is annotated with, else the one we would make. */
  roleArn: string;
  role: SeenRole | undefined;
}

type Change =
  | RoleChange
  | {
      action: 'create-oidc-provider' | 'add-oidc-client';
      resource: string;
    }
  | {
      action: 'create-service-account' | 'annotate-service-account';
      resource: string;
      roleArn: string;
      note?: string;
    };

const audience = 'sts.amazonaws.com';

const pathOf = ({ namespace }: PodIdentity) => `/api/v1/namespaces/${namespace}/serviceaccounts`;

async function findProvider(iam: IAMClient, arn: string): Promise<Observation['provider']> {
  const answer = await absentIf(['NoSuchEntity', 'NoSuchEntityException'], () =>
    iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn })),
  );
  return answer && { clientIds: answer.ClientIDList ?? [] };
}

function findServiceAccount(cx: StepContext, input: Input): Promise<Observation['serviceAccount']> {
  return unlessHidden(cx, () => cx.kubernetes.get(`${pathOf(input)}/${input.serviceAccount}`));
}

function annotatedRole(serviceAccount: Observation['serviceAccount']): string | undefined {
  return serviceAccount === 'hidden' ? undefined : serviceAccount?.metadata.annotations?.[roleAnnotation];
}

function isTrusted(input: Input, { trust }: SeenRole): boolean {
  return trusts(trust, {
    principal: { Federated: input.oidcProviderArn },
    action: 'sts:AssumeRoleWithWebIdentity',
    context: webIdentityContext(input, input.issuer),
  });
}

/** Subjects a trust policy names for any cluster, for the message. */
function subjectsOf({ Statement: statements }: PolicyDocument): string {
  const subjects = statements.flatMap(({ Condition = {} }) =>
    Object.values(Condition).flatMap((keys) =>
      Object.entries(keys).flatMap(([key, value]) => (key.endsWith(':sub') ? value : [])),
    ),
  );
  return subjects.join(', ') || 'no service account';
}

function refusal(input: Input, { roleArn, role, serviceAccount }: Observation) {
  const account = `${input.namespace}/${input.serviceAccount}`;
  const subject = `system:serviceaccount:${input.namespace}:${input.serviceAccount}`;
  if (!serviceAccount && !input.create) return { code: 'service-account-missing' as const, detail: account };
  if (parseRoleArn(roleArn).accountId !== input.clusterAccountId)
    return {
      code: 'pod-role-not-ours' as const,
      detail: `${account} is annotated with ${roleArn}, which is not in the cluster’s account`,
    };
  if (!role && roleArn !== input.defaultRoleArn)
    return {
      code: 'pod-role-not-ours' as const,
      detail: `${account} is annotated with ${roleArn}, which does not exist: remove the annotation`,
    };
  if (role?.ownership === 'other-deployment') return { code: 'owned-by-another-deployment' as const, detail: role.arn };
  if (role?.ownership !== 'foreign' || input.takeOver) return undefined;
  if (!isTrusted(input, role))
    return {
      code: 'service-account-subject-mismatch' as const,
      detail: `${role.arn} trusts ${subjectsOf(role.trust)}, the pod is ${subject}`,
    };
  return { code: 'pod-role-not-ours' as const, detail: `${account} is to run as ${role.arn}` };
}

/** Our statement, unless somebody's already says it. */
function completeTrust(input: Input, role: SeenRole | undefined): PolicyDocument {
  const ours = webIdentityTrust(input, input.oidcProviderArn, input.issuer);
  if (!role) return policyOf(ours);
  const has = role.trust.Statement.some(({ Sid }) => Sid === ours.Sid);
  return !has && isTrusted(input, role) ? role.trust : mergeStatements(role.trust, [ours]);
}

/** IRSA: the cluster's OIDC provider, a role that trusts exactly one service account, and the annotation that names it. */
export const podRole = defineStep({
  name: 'pod-role',
  summary: 'Gives the service account an IAM role through the cluster’s OIDC provider (IRSA).',
  permissions: {
    cluster: [
      {
        actions: [
          'iam:GetOpenIDConnectProvider',
          'iam:CreateOpenIDConnectProvider',
          'iam:TagOpenIDConnectProvider',
          'iam:AddClientIDToOpenIDConnectProvider',
        ],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:oidc-provider/*'],
      },
      {
        actions: ['iam:GetRole', 'iam:CreateRole', 'iam:TagRole', 'iam:UpdateAssumeRolePolicy'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
      },
    ],
    kubernetes: [rules.createServiceAccount, rules.serviceAccount],
  },

  input(cx): Input {
    const { request } = cx.run;
    const clusterArn = clusterArnOf(request);
    const { serviceAccount } = outputOf(cx.run, 'discovery');
    const { namespace } = request.kubecost;
    const { accountId } = request.cluster;
    const issuer = outputOf(cx.run, 'preflight').oidcIssuer.replace(/^https:\/\//, '');
    return {
      clusterArn,
      namespace,
      serviceAccount,
      clusterAccountId: accountId,
      issuer,
      oidcProviderArn: `arn:aws:iam::${accountId}:oidc-provider/${issuer}`,
      defaultRoleArn: roleArnOf(accountId, podRoleName(clusterArn, namespace, serviceAccount)),
      create: request.identity.serviceAccount.create,
      takeOver: request.existing === 'take-over',
    };
  },

  async observe(cx, input): Promise<Observation> {
    const iam = cx.cluster.client(IAMClient, iamRegion);
    const [provider, serviceAccount] = await Promise.all([
      findProvider(iam, input.oidcProviderArn),
      findServiceAccount(cx, input),
    ]);
    const roleArn = annotatedRole(serviceAccount) ?? input.defaultRoleArn;
    const { accountId, name } = parseRoleArn(roleArn);
    const role = accountId === input.clusterAccountId ? await findRole(iam, name, cx.owner) : undefined;
    return { provider, serviceAccount, roleArn, role };
  },

  plan(input, seen): Plan<Change, Outputs['pod-role']> {
    const { provider, serviceAccount, role } = seen;
    const roleArn = role?.arn ?? seen.roleArn;
    const output = {
      podRoleArn: roleArn,
      serviceAccount: input.serviceAccount,
      oidcProviderArn: input.oidcProviderArn,
    };
    const refused = refusal(input, seen);
    if (refused)
      return { kind: 'refuse', ...refused, ...((role ?? roleArn === input.defaultRoleArn) && { expected: output }) };
    const changes: Change[] = [];
    if (!provider) changes.push({ action: 'create-oidc-provider', resource: input.oidcProviderArn });
    else if (!provider.clientIds.includes(audience))
      changes.push({ action: 'add-oidc-client', resource: input.oidcProviderArn });
    changes.push(...roleChanges(role, roleArn, completeTrust(input, role)));
    const account = `${input.namespace}/${input.serviceAccount}`;
    if (serviceAccount === 'hidden')
      changes.push({
        action: 'create-service-account',
        resource: account,
        roleArn,
        note: 'or annotated, if it exists',
      });
    else if (!serviceAccount) changes.push({ action: 'create-service-account', resource: account, roleArn });
    else if (!annotatedRole(serviceAccount))
      changes.push({ action: 'annotate-service-account', resource: account, roleArn });

    const overwritten =
      serviceAccount &&
      serviceAccount !== 'hidden' &&
      isHelmManaged(serviceAccount) &&
      serviceAccount.metadata.annotations?.[annotatedBy] === roleArn;
    const warning = `${account} is Helm’s: add the annotation ${roleAnnotation}: ${roleArn} to the values of serviceAccount.annotations, or the next upgrade may drop it`;
    return changesOrReady(changes, { output, warnings: overwritten ? [warning] : [] });
  },

  async apply(cx, change, { input }) {
    const iam = cx.cluster.client(IAMClient, iamRegion);
    const metadata = (roleArn: string) => ({ annotations: { [roleAnnotation]: roleArn, [annotatedBy]: roleArn } });
    switch (change.action) {
      case 'create-oidc-provider':
        await unlessTaken(['EntityAlreadyExists', 'EntityAlreadyExistsException'], () =>
          iam.send(
            new CreateOpenIDConnectProviderCommand({
              Url: `https://${input.issuer}`,
              ClientIDList: [audience],
              Tags: toTagList(ownerTags(cx.owner)),
            }),
          ),
        );
        break;
      case 'add-oidc-client':
        await iam.send(
          new AddClientIDToOpenIDConnectProviderCommand({
            OpenIDConnectProviderArn: input.oidcProviderArn,
            ClientID: audience,
          }),
        );
        break;
      case 'create-service-account':
        await unlessTaken(['AlreadyExists'], () =>
          cx.kubernetes.create(pathOf(input), {
            apiVersion: 'v1',
            kind: 'ServiceAccount',
            metadata: {
              name: input.serviceAccount,
              namespace: input.namespace,
              labels: ownerLabels(cx.owner),
              ...metadata(change.roleArn),
            },
          }),
        );
        break;
      case 'annotate-service-account':
        await cx.kubernetes.patch(`${pathOf(input)}/${input.serviceAccount}`, {
          metadata: metadata(change.roleArn),
        });
        break;
      case 'create-role':
      case 'update-trust':
      case 'tag-role':
        await applyRoleChange(iam, change, cx.owner);
        break;
    }
    return 'changed';
  },
});

export const handler = stepHandler(podRole);
