import { IAMClient } from '@aws-sdk/client-iam';
import { identityAtEnd, podChainPermission, walkPodChain } from '../../shared/access/credential-chain.ts';
import { assumeActions, podIdentityContext } from '../../shared/access/pod-trust.ts';
import { findManagedPolicy } from '../../shared/aws/managed-policy.ts';
import { findRole, iamRegion, parseRoleArn } from '../../shared/aws/role.ts';
import { permits, trusts } from '../../shared/aws/trust-policy.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { entryKey, findPayer, parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import type { OnboardingRequest } from '../../shared/model/onboarding-request.ts';
import type { Owner } from '../../shared/model/ownership.ts';
import { outputOf, podRoleOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { iso } from '../../shared/platform/clock.ts';
import {
  fileOf,
  readSecret,
  type Refusal,
  rehearse,
  type Secret,
  unreadable,
  unwritable,
  withFile,
} from '../../shared/publication/integration-secret.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers } from '../../shared/targets/target-payers.ts';

interface Input {
  target: Target;
  payerAccountId: string;
  format: OnboardingRequest['kubecost']['format'];
  mode: OnboardingRequest['kubecost']['publish'];
  takeOver: boolean;
  /** The entry's key, once athena-results is done: it runs in another branch. */
  key: string | undefined;
}

type Chain = { level: Outputs['chain-proof']['level']; identityArn: string } | { refused: Refusal };

/** What was found out about the file, without anything of its content but keys. */
type File = { format: Outputs['chain-proof']['secretFormat']; foreignPayerKeys: string[] } | { refused: Refusal };

interface Observation {
  chain: Chain;
  file: File;
}

type ChainPlan = Plan<never, Outputs['chain-proof']>;

/** IAM changes are visible everywhere within two minutes (terraform-provider-aws uses the same bound). */
const propagationSeconds = 120;

/** Where the way of EKS Pod Identity is closed to us, both sides are read instead. */
async function readDocuments(cx: StepContext): Promise<Chain> {
  const { podRoleArn, serviceAccount } = podRoleOf(cx.run);
  const { payerRoleArn } = outputOf(cx.run, 'payer-role');
  const { policyArn } = outputOf(cx.run, 'grant');
  const clusterIam = cx.cluster.client(IAMClient, iamRegion);
  const payerIam = cx.payer.client(IAMClient, iamRegion);
  const [podRole, policy, payerRole] = await Promise.all([
    findRole(clusterIam, parseRoleArn(podRoleArn).name, cx.owner),
    findManagedPolicy(clusterIam, policyArn, cx.owner),
    findRole(payerIam, parseRoleArn(payerRoleArn).name, cx.owner),
  ]);
  const pods = { Service: 'pods.eks.amazonaws.com' };
  const { clusterArn, namespace } = targetOf(cx.run.request);
  const context = podIdentityContext({ clusterArn, namespace, serviceAccount });
  for (const action of assumeActions) {
    const sides: [boolean, string][] = [
      [podRole !== undefined && trusts(podRole.trust, { principal: pods, action, context }), podRoleArn],
      [policy !== undefined && permits(policy.document, action, payerRoleArn), policyArn],
      [
        payerRole !== undefined &&
          trusts(payerRole.trust, {
            principal: { AWS: podRoleArn },
            action,
            context: { 'aws:PrincipalArn': podRoleArn },
          }),
        payerRoleArn,
      ],
    ];
    const closed = sides.find(([open]) => !open);
    if (closed)
      return {
        refused: {
          code: action === 'sts:TagSession' ? 'tag-session-missing' : 'payer-role-denied',
          detail: `${closed[1]} does not allow ${action}`,
        },
      };
  }
  return { level: 'documents', identityArn: payerRoleArn };
}

async function walk(cx: StepContext): Promise<Chain> {
  const chain = await walkPodChain(cx);
  if ('closed' in chain) return readDocuments(cx);
  if ('refused' in chain) return { refused: { code: chain.refused, detail: chain.detail } };
  return { level: 'pod-chain', identityArn: await identityAtEnd(cx, chain.credentials) };
}

/** The file by the consumer's own rules. Who owns the secret matters only if the payer is to be put into it. */
function judge(secret: Secret | undefined, input: Input, owner: Owner, publishedKey: string | undefined): File {
  const file = fileOf(secret);
  const refused = unreadable(secret);
  if (refused) return { refused };
  const text = file?.kind === 'decoded' ? file.text : undefined;
  const integrated = text === undefined ? [] : findPayer(text, input.payerAccountId).map(({ key }) => key);
  const written = input.mode === 'secret' && integrated.length === 0;
  const locked = secret && written ? unwritable(secret, owner) : undefined;
  if (locked) return { refused: locked };
  if (text === undefined) return { format: 'absent', foreignPayerKeys: [] };
  const parsed = parseIntegrationFile(text);
  const format = parsed.accepted ? parsed.format : 'empty';
  if (input.format !== 'auto' && format !== 'empty' && format !== input.format)
    return {
      refused: {
        code: 'secret-format-differs',
        detail: `the file has the format ${format}, asked for was ${input.format}`,
      },
    };
  return { format, foreignPayerKeys: integrated.filter((key) => key !== publishedKey) };
}

/** Finds out before the wait whether the cluster's policies let us write the secret: as it is, or an empty file. */
async function askAdmission(cx: StepContext, secret: Secret | undefined, { target, mode }: Input): Promise<void> {
  if (mode === 'artifacts' || (secret && unwritable(secret, cx.owner))) return;
  const file = fileOf(secret);
  const text = file?.kind === 'decoded' ? file.text : '{}';
  await rehearse(cx.kubernetes, withFile(secret, target, text, cx.owner, iso(cx.now)));
}

/** Walks the chain the pod will walk, and reads the secret as the consumer will: both fail in minutes, not after a day. */
export const chainProof = defineStep({
  name: 'chain-proof',
  summary: 'Proves that the pod can reach the payer role and that the secret can take the payer’s entry.',
  proof: true,
  after: ['pod-role', 'pod-identity', 'payer-role', 'grant'],
  permissions: {
    table: ['Query'],
    payer: [
      {
        actions: ['iam:GetRole'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}'],
      },
    ],
    cluster: [
      podChainPermission,
      {
        actions: ['iam:GetRole'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
      },
      {
        actions: ['iam:GetPolicy', 'iam:GetPolicyVersion', 'iam:ListPolicyVersions'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kubecost-access-cur-in-payer-account-*'],
      },
    ],
    kubernetes: [rules.pods, rules.token, rules.secret, rules.createSecret],
  },

  input(cx): Input {
    const { payerAccountId, kubecost, existing } = cx.run.request;
    const results = cx.run.steps['athena-results'];
    const done = results?.status === 'succeeded';
    return {
      target: targetOf(cx.run.request),
      payerAccountId,
      format: kubecost.format,
      mode: kubecost.publish,
      takeOver: existing === 'take-over',
      key: done
        ? entryKey({ payerAccountId, athenaResultsLocation: outputOf(cx.run, 'athena-results').athenaResultsLocation })
        : undefined,
    };
  },

  async observe(cx, input): Promise<Observation> {
    const { target } = input;
    const [secret, payers, chain] = await Promise.all([
      readSecret(cx.kubernetes, target.namespace, target.secretName),
      listTargetPayers(target),
      walk(cx),
    ]);
    const own = payers.find(({ payerAccountId }) => payerAccountId === input.payerAccountId);
    const file = judge(secret, input, cx.owner, own?.publishedKey);
    if (!('refused' in file)) await askAdmission(cx, secret, input);
    return { chain, file };
  },

  plan(input, { chain, file }, { now, since }): ChainPlan {
    if ('refused' in file) return { kind: 'refuse', ...file.refused };
    const expected = { level: 'pod-chain' as const, identityArn: '', secretFormat: file.format };
    const waited = (now - since) / 1000;
    if ('refused' in chain) {
      const { code, detail } = chain.refused;
      if (waited < propagationSeconds)
        return waitFor(
          {
            reason: 'IAM to show the roles and policies everywhere',
            seconds: 5,
            deadlineSeconds: propagationSeconds + 60,
            overdue: code,
          },
          expected,
        );
      return {
        kind: 'refuse',
        code,
        detail: `${detail} (for ${propagationSeconds} s; IAM shows changes late, rarely this late: more likely something denies it)`,
      };
    }
    const [key] = file.foreignPayerKeys;
    if (key !== undefined && !input.takeOver) {
      if (input.key === undefined && waited < propagationSeconds)
        return waitFor(
          {
            reason: 'step athena-results to find the key of the payer’s entry',
            seconds: 5,
            deadlineSeconds: propagationSeconds + 60,
            overdue: 'payer-already-integrated',
          },
          expected,
        );
      if (input.key !== undefined && file.foreignPayerKeys.some((foreign) => foreign !== input.key))
        return {
          kind: 'refuse',
          code: 'payer-already-integrated',
          detail: `${input.payerAccountId} is in the file as ${file.foreignPayerKeys.join(', ')}`,
        };
    }
    return {
      kind: 'ready',
      output: { level: chain.level, identityArn: chain.identityArn, secretFormat: file.format },
    };
  },
});

export const handler = stepHandler(chainProof);
