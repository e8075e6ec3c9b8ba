/** The pod role's trust policy as data, for IRSA and EKS Pod Identity: each with the narrowest statement that works. */
import { podRoleName } from '../aws/names.ts';
import { mergeStatements, type PolicyDocument, policyOf, type Statement } from '../aws/policy-document.ts';
import { type Assumption, trusts } from '../aws/trust-policy.ts';

/** EKS Pod Identity sends session tags, which are transitive: both sides must allow TagSession (aws/eks-pod-identity-agent#80). */
export const assumeActions = ['sts:AssumeRole', 'sts:TagSession'] as const;

/** The service account that the pods run as. */
export interface PodIdentity {
  clusterArn: string;
  namespace: string;
  serviceAccount: string;
}

/** How a pod gets its role: the statement that runs write, and the requests that it must allow. */
export interface PodTrust {
  statement: Statement;
  requests: readonly Assumption[];
}

/** Several service accounts may share a role: the Sid ends in the hash of the default role's name. */
function podSid({ clusterArn, namespace, serviceAccount }: PodIdentity): string {
  return `KubecostPod${podRoleName(clusterArn, namespace, serviceAccount).slice(-8)}`;
}

/** `namespace/name`, as messages and changes show it. */
export function serviceAccountOf({ namespace, serviceAccount }: PodIdentity): string {
  return `${namespace}/${serviceAccount}`;
}

/** The name by which an OIDC token names the service account. */
export function subjectOf({ namespace, serviceAccount }: PodIdentity): string {
  return `system:serviceaccount:${namespace}:${serviceAccount}`;
}

/** IRSA. @param issuer host and path of the cluster's OIDC issuer, without https:// */
export function webIdentityTrust(pod: PodIdentity, providerArn: string, issuer: string): PodTrust {
  const principal = { Federated: providerArn };
  const action = 'sts:AssumeRoleWithWebIdentity';
  const context = { [`${issuer}:sub`]: subjectOf(pod), [`${issuer}:aud`]: 'sts.amazonaws.com' };
  return {
    statement: {
      Sid: podSid(pod),
      Effect: 'Allow',
      Principal: principal,
      Action: action,
      Condition: { StringEquals: context },
    },
    requests: [{ principal, action, context }],
  };
}

/** EKS Pod Identity: EKS sets these session tags when it assumes the pod's role. */
export function podIdentityTrust(pod: PodIdentity): PodTrust {
  const principal = { Service: 'pods.eks.amazonaws.com' };
  const context = {
    'aws:RequestTag/eks-cluster-arn': pod.clusterArn,
    'aws:RequestTag/kubernetes-namespace': pod.namespace,
    'aws:RequestTag/kubernetes-service-account': pod.serviceAccount,
  };
  return {
    statement: {
      Sid: podSid(pod),
      Effect: 'Allow',
      Principal: principal,
      Action: [...assumeActions],
      Condition: { StringEquals: context },
    },
    requests: assumeActions.map((action) => ({ principal, action, context })),
  };
}

/** @param action one of them; default all */
export function admitsPod(trust: PolicyDocument, { requests }: PodTrust, action?: string): boolean {
  return requests.filter((one) => action === undefined || one.action === action).every((one) => trusts(trust, one));
}

/** Adds our statement, unless another statement already allows the pod. */
export function completePodTrust(existing: PolicyDocument | undefined, pod: PodTrust): PolicyDocument {
  if (!existing) return policyOf(pod.statement);
  const hasOurs = existing.Statement.some(({ Sid }) => Sid === pod.statement.Sid);
  return !hasOurs && admitsPod(existing, pod) ? existing : mergeStatements(existing, [pod.statement]);
}

/** The trust policy without our statement for the service account. */
export function withoutPod(trust: PolicyDocument, pod: PodIdentity): PolicyDocument {
  return { ...trust, Statement: trust.Statement.filter(({ Sid }) => Sid !== podSid(pod)) };
}

/** Service accounts that a trust policy names for any cluster. */
export function subjectsIn({ Statement: statements }: PolicyDocument): string[] {
  return statements.flatMap(({ Condition = {} }) =>
    Object.values(Condition).flatMap((keys) =>
      Object.entries(keys).flatMap(([key, value]) => (key.endsWith(':sub') ? value : [])),
    ),
  );
}
