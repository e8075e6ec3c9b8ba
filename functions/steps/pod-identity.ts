import { createHash } from 'node:crypto';
import { CreatePodIdentityAssociationCommand, EKSClient, TagResourceCommand } from '@aws-sdk/client-eks';
import { IAMClient } from '@aws-sdk/client-iam';
import {
  assumeActions,
  type PodIdentity,
  podIdentityContext,
  podIdentityTrust,
} from '../../shared/access/pod-trust.ts';
import { podRoleName } from '../../shared/aws/names.ts';
import { type Association, findAssociation } from '../../shared/aws/pod-identity-association.ts';
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
import { ownerTags, takenOverTags } from '../../shared/aws/tags.ts';
import { trusts } from '../../shared/aws/trust-policy.ts';
import type { ErrorCode } from '../../shared/errors/catalogue.ts';
import { isAwsError, RetryableError, unlessTaken } from '../../shared/errors/errors.ts';
import { knownAfter } from '../../shared/model/known-after.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { changesOrReady, waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

interface Input extends PodIdentity {
  clusterName: string;
  region: string;
  available: boolean;
  defaultRoleArn: string;
  takeOver: boolean;
}

interface Observation {
  association: Association | undefined;
  /** The association's, else the one we would make. */
  role: SeenRole | undefined;
}

type Change = RoleChange | { action: 'create-association' | 'tag-association'; resource: string; roleArn: string };

function trustsPods(input: Input, { trust }: SeenRole, action: string): boolean {
  const principal = { Service: 'pods.eks.amazonaws.com' };
  return trusts(trust, { principal, action, context: podIdentityContext(input) });
}

function refusal(input: Input, { association, role }: Observation): { code: ErrorCode; detail: string } | undefined {
  const account = `${input.namespace}/${input.serviceAccount}`;
  if (!input.available) return { code: 'pod-identity-agent-missing', detail: `cluster ${input.clusterName}` };
  if (association?.ownership === 'other-deployment')
    return { code: 'owned-by-another-deployment', detail: association.arn };
  if (role?.ownership === 'other-deployment') return { code: 'owned-by-another-deployment', detail: role.arn };
  if (association && !role && association.roleArn !== input.defaultRoleArn)
    return {
      code: 'association-not-ours',
      detail: `${account} is associated with ${association.roleArn}, which does not exist: delete the association`,
    };
  if (input.takeOver) return undefined;
  if (association?.ownership === 'foreign') {
    return role && !trustsPods(input, role, 'sts:TagSession')
      ? { code: 'tag-session-missing', detail: `trust policy of ${role.arn}` }
      : { code: 'association-not-ours', detail: `${account} is associated with ${association.roleArn}` };
  }
  return role?.ownership === 'foreign' ? { code: 'pod-role-not-ours', detail: role.arn } : undefined;
}

/** EKS refuses a role that it does not see yet; most are seen after so long. */
const roleVisibleMs = 10_000;

/** Our statement, unless somebody's already says it. */
function completeTrust(input: Input, role: SeenRole | undefined): PolicyDocument {
  const ours = podIdentityTrust(input);
  if (!role) return policyOf(ours);
  const has = role.trust.Statement.some(({ Sid }) => Sid === ours.Sid);
  const said = assumeActions.every((action) => trustsPods(input, role, action));
  return !has && said ? role.trust : mergeStatements(role.trust, [ours]);
}

/** EKS Pod Identity: a role that trusts the one service account, and the association that gives it to the pods. */
export const podIdentity = defineStep({
  name: 'pod-identity',
  summary: 'Gives the service account an IAM role through EKS Pod Identity.',
  permissions: {
    cluster: [
      {
        actions: ['eks:ListPodIdentityAssociations', 'eks:CreatePodIdentityAssociation', 'eks:TagResource'],
        resources: ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:cluster/${Cluster}'],
      },
      {
        actions: ['eks:DescribePodIdentityAssociation', 'eks:TagResource'],
        resources: ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:podidentityassociation/${Cluster}/*'],
      },
      {
        actions: ['iam:GetRole', 'iam:CreateRole', 'iam:TagRole', 'iam:UpdateAssumeRolePolicy'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
      },
      {
        actions: ['iam:PassRole'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
        condition: { StringEquals: { 'iam:PassedToService': ['eks.amazonaws.com', 'pods.eks.amazonaws.com'] } },
      },
    ],
  },

  input(cx): Input {
    const { request } = cx.run;
    const clusterArn = clusterArnOf(request);
    const { namespace } = request.kubecost;
    const { serviceAccount } = outputOf(cx.run, 'discovery');
    return {
      clusterArn,
      clusterName: request.cluster.name,
      region: request.cluster.region,
      namespace,
      serviceAccount,
      available: outputOf(cx.run, 'preflight').podIdentityAvailable,
      defaultRoleArn: roleArnOf(request.cluster.accountId, podRoleName(clusterArn, namespace, serviceAccount)),
      takeOver: request.existing === 'take-over',
    };
  },

  async observe(cx, input): Promise<Observation> {
    const association = await findAssociation(cx.cluster, input, cx.owner);
    const { name } = parseRoleArn(association?.roleArn ?? input.defaultRoleArn);
    return { association, role: await findRole(cx.cluster.client(IAMClient, iamRegion), name, cx.owner) };
  },

  plan(input, seen, { run, now }): Plan<Change, Outputs['pod-identity']> {
    const { association, role } = seen;
    const roleArn = association?.roleArn ?? role?.arn ?? input.defaultRoleArn;
    const resource = association?.arn ?? `${input.clusterArn} ${input.namespace}/${input.serviceAccount}`;
    const output = {
      podRoleArn: roleArn,
      serviceAccount: input.serviceAccount,
      associationId: association?.id ?? knownAfter('pod-identity'),
    };
    const refused = refusal(input, seen);
    if (refused) return { kind: 'refuse', ...refused, ...((role ?? !association) && { expected: output }) };
    const changes: Change[] = roleChanges(role, roleArn, completeTrust(input, role));
    const youngMs = role ? role.createdAt + roleVisibleMs - now : 0;
    if (!association && changes.length === 0 && youngMs > 0)
      return waitFor(
        {
          reason: `EKS to see role ${roleArn}`,
          seconds: Math.ceil(youngMs / 1000),
          deadlineSeconds: 60,
          overdue: 'aws-unavailable',
        },
        output,
      );
    if (!association && (role ?? run.request.dryRun)) changes.push({ action: 'create-association', resource, roleArn });
    else if (association?.ownership === 'foreign') changes.push({ action: 'tag-association', resource, roleArn });
    return changesOrReady(changes, { output });
  },

  async apply(cx, change, { input }) {
    switch (change.action) {
      case 'create-association':
        await createAssociation(cx, input, change.roleArn);
        break;
      case 'tag-association':
        await cx.cluster.client(EKSClient, input.region).send(
          new TagResourceCommand({
            resourceArn: change.resource,
            tags: { ...ownerTags(cx.owner), ...takenOverTags },
          }),
        );
        break;
      case 'create-role':
      case 'update-trust':
      case 'tag-role':
        await applyRoleChange(cx.cluster.client(IAMClient, iamRegion), change, cx.owner);
        break;
    }
    return 'changed';
  },
});

/** EKS checks the role, and does not see one made seconds ago: "Role provided in the request does not exist", "cannot be assumed". */
async function createAssociation(cx: StepContext, input: Input, roleArn: string): Promise<void> {
  const { clusterName, namespace, serviceAccount, region } = input;
  try {
    await unlessTaken(['ResourceInUseException'], () =>
      cx.cluster.client(EKSClient, region).send(
        new CreatePodIdentityAssociationCommand({
          clusterName,
          namespace,
          serviceAccount,
          roleArn,
          clientRequestToken: createHash('sha256')
            .update([cx.run.runId, cx.run.attempt, roleArn].join('\n'))
            .digest('hex'),
          tags: ownerTags(cx.owner),
        }),
      ),
    );
  } catch (error) {
    if (!isAwsError(error, 'InvalidParameterException') || !/role/i.test(error.message)) throw error;
    throw new RetryableError('aws-unavailable', error.message, { cause: error });
  }
}

export const handler = stepHandler(podIdentity);
