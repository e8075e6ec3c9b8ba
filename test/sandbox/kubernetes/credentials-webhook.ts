import type { KubernetesObject } from './objects.ts';
import type { Container, PodSpec, Volume } from './pod-fields.ts';

interface Injection {
  volume: Volume;
  mountPath: string;
  env: Record<string, string>;
}

/**
 * The fields that EKS's webhook adds to a pod only at its creation. A Pod Identity association overrides the service account's
 * annotation (aws/amazon-eks-pod-identity-webhook `pkg/handler/handler.go`, buildPodPatchConfig); existing variables stay.
 * @param association of the pod's namespace and service account exists, and the agent that serves it
 */
export function withCredentials(
  spec: PodSpec,
  serviceAccount: KubernetesObject | undefined,
  { region, association }: { region: string; association: boolean },
): PodSpec {
  const roleArn = serviceAccount?.metadata.annotations?.['eks.amazonaws.com/role-arn'];
  const injection = association ? podIdentity : roleArn ? irsa(roleArn) : undefined;
  if (!injection) return spec;
  const { volume, mountPath, env } = injection;
  const variables = { AWS_STS_REGIONAL_ENDPOINTS: 'regional', AWS_DEFAULT_REGION: region, AWS_REGION: region, ...env };
  const mount = { name: volume.name, mountPath, readOnly: true };
  return {
    ...spec,
    containers: spec.containers.map((container) => ({
      ...container,
      env: [...(container.env ?? []), ...missing(container, variables)],
      volumeMounts: [...(container.volumeMounts ?? []), mount],
    })),
    volumes: [...(spec.volumes ?? []), volume],
  };
}

const podIdentity: Injection = {
  volume: tokenVolume('eks-pod-identity-token', 'pods.eks.amazonaws.com', 'eks-pod-identity-token'),
  mountPath: '/var/run/secrets/pods.eks.amazonaws.com/serviceaccount',
  env: {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE:
      '/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token',
  },
};

function irsa(roleArn: string): Injection {
  const mountPath = '/var/run/secrets/eks.amazonaws.com/serviceaccount';
  return {
    volume: tokenVolume('aws-iam-token', 'sts.amazonaws.com', 'token'),
    mountPath,
    env: { AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: `${mountPath}/token` },
  };
}

function tokenVolume(name: string, audience: string, path: string): Volume {
  const serviceAccountToken = { audience, expirationSeconds: 86_400, path };
  return { name, projected: { sources: [{ serviceAccountToken }], defaultMode: 420 } };
}

function missing({ env = [] }: Container, variables: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(variables)
    .filter(([name]) => !env.some((variable) => variable.name === name))
    .map(([name, value]) => ({ name, value }));
}
