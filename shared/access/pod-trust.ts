/** The four documents that let a pod reach a payer's bill, each with the narrowest form that works. */
import { podRoleName } from '../aws/names.ts';
import type { Statement } from '../aws/policy-document.ts';

/** EKS Pod Identity sends session tags, which are transitive: both sides must allow TagSession (aws/eks-pod-identity-agent#80). */
export const assumeActions = ['sts:AssumeRole', 'sts:TagSession'] as const;

/** By which IRSA's webhook learns a service account's role (EKS user guide, "Assign IAM roles to Kubernetes service accounts"). */
export const roleAnnotation = 'eks.amazonaws.com/role-arn';

/** Tells our annotation from the Helm values' own. */
export const annotatedBy = 'kubecost-payer-onboarding/annotated-role';

export interface PodIdentity {
  clusterArn: string;
  namespace: string;
  serviceAccount: string;
}

/** A role may be shared by several service accounts: the Sid ends in the hash of its name. */
export function podSid({ clusterArn, namespace, serviceAccount }: PodIdentity): string {
  return `KubecostPod${podRoleName(clusterArn, namespace, serviceAccount).slice(-8)}`;
}

/** @param issuer host and path of the cluster's OIDC issuer, without https:// */
export function webIdentityContext({ namespace, serviceAccount }: PodIdentity, issuer: string): Record<string, string> {
  return {
    [`${issuer}:sub`]: `system:serviceaccount:${namespace}:${serviceAccount}`,
    [`${issuer}:aud`]: 'sts.amazonaws.com',
  };
}

export function webIdentityTrust(pod: PodIdentity, providerArn: string, issuer: string): Statement {
  return {
    Sid: podSid(pod),
    Effect: 'Allow',
    Principal: { Federated: providerArn },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: webIdentityContext(pod, issuer) },
  };
}

/** Session tags that EKS sets when it assumes the pod's role. */
export function podIdentityContext({ clusterArn, namespace, serviceAccount }: PodIdentity): Record<string, string> {
  return {
    'aws:RequestTag/eks-cluster-arn': clusterArn,
    'aws:RequestTag/kubernetes-namespace': namespace,
    'aws:RequestTag/kubernetes-service-account': serviceAccount,
  };
}

export function podIdentityTrust(pod: PodIdentity): Statement {
  return {
    Sid: podSid(pod),
    Effect: 'Allow',
    Principal: { Service: 'pods.eks.amazonaws.com' },
    Action: [...assumeActions],
    Condition: { StringEquals: podIdentityContext(pod) },
  };
}

export function payerTrustSid(clusterAccountId: string): string {
  return `KubecostPods${clusterAccountId}`;
}

/**
 * The account as principal and the roles as condition: IAM resolves a role named as principal to its id, so that a
 * re-created role would be locked out. No external id: Kubecost sends none.
 */
export function payerTrust(clusterAccountId: string, podRoleArns: readonly string[]): Statement {
  return {
    Sid: payerTrustSid(clusterAccountId),
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${clusterAccountId}:root` },
    Action: [...assumeActions],
    Condition: { ArnEquals: { 'aws:PrincipalArn': [...podRoleArns].sort() } },
  };
}

export const grantSid = 'KubecostPayerRoles';

export function payerRolesGrant(payerRoleArns: readonly string[]): Statement {
  return { Sid: grantSid, Effect: 'Allow', Action: [...assumeActions], Resource: [...payerRoleArns].sort() };
}
