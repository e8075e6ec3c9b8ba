/** Proves the chain from the pod to the payer role: by walking it, else by reading the policies of both sides. */
import { findManagedPolicy } from '../aws/managed-policy.ts';
import { findRole } from '../aws/role.ts';
import { permits } from '../aws/trust-policy.ts';
import { outputOf, podRoleOf } from '../model/run.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import { clusterArnOf } from '../model/target.ts';
import type { StepContext } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { identityAtEnd, podChainPermission, walkPodChain } from './credential-chain.ts';
import { payerRolePermissions } from './payer-role.ts';
import { admitsPodRole } from './payer-trust.ts';
import { podPolicyPermissions } from './pod-policies.ts';
import { podRolePermissions } from './pod-role.ts';
import { admitsPod, assumeActions, podIdentityTrust } from './pod-trust.ts';

export const chainProofPermissions = {
  payer: [payerRolePermissions.find],
  cluster: [podChainPermission, podRolePermissions.find, podPolicyPermissions.find],
};

/** The proof's level and the identity at the chain's end, or what blocks the chain. */
export type ChainProof = { level: Outputs['chain-proof']['level']; identityArn: string } | { refused: Problem };

export async function proveChain(cx: StepContext): Promise<ChainProof> {
  const chain = await walkPodChain(cx);
  // Only the chain of EKS Pod Identity may be unavailable to us, so the policies are read for its requests.
  if ('closed' in chain) return readPolicies(cx);
  if ('refused' in chain) return { refused: { code: chain.refused, detail: chain.detail } };
  return { level: 'pod-chain', identityArn: await identityAtEnd(cx, chain.credentials) };
}

async function readPolicies(cx: StepContext): Promise<ChainProof> {
  const { request } = cx.run;
  const { podRoleArn, serviceAccount } = podRoleOf(cx.run);
  const { payerRoleArn } = outputOf(cx.run, 'payer-role');
  const { policyArn } = outputOf(cx.run, 'grant');
  const [podRole, policy, payerRole] = await Promise.all([
    findRole(cx.cluster, podRoleArn, cx.owner),
    findManagedPolicy(cx.cluster, policyArn, cx.owner),
    findRole(cx.payer, payerRoleArn, cx.owner),
  ]);
  const { namespace } = request.kubecost;
  const pod = podIdentityTrust({ clusterArn: clusterArnOf(request), namespace, serviceAccount });
  for (const action of assumeActions) {
    const checks = [
      { arn: podRoleArn, allows: podRole && admitsPod(podRole.trust, pod, action) },
      { arn: policyArn, allows: policy && permits(policy.document, action, payerRoleArn) },
      { arn: payerRoleArn, allows: payerRole && admitsPodRole(payerRole.trust, podRoleArn, action) },
    ];
    const blocking = checks.find(({ allows }) => !allows);
    if (!blocking) continue;
    const code = action === 'sts:TagSession' ? 'tag-session-missing' : 'payer-role-denied';
    return { refused: { code, detail: `${blocking.arn} does not allow ${action}` } };
  }
  return { level: 'documents', identityArn: payerRoleArn };
}
