import { randomUUID, verify } from 'node:crypto';
import type { Kubernetes } from '../kubernetes/cluster.ts';
import { AwsError, operation, type Service } from '../service.ts';
import type { World } from '../world.ts';
import { type Cluster, eksArn, findActiveCluster } from './eks/state.ts';
import { trusted } from './iam/trust.ts';
import type { Session } from './sts/state.ts';

const podIdentityAudience = 'pods.eks.amazonaws.com';

/** EKS creates sessions of six hours, regardless of the role's maximum. */
const sessionSeconds = 6 * 3600;

interface Input {
  clusterName?: string;
  token?: string;
}

interface Claims {
  iss?: string;
  aud?: string[];
  /** Seconds since the epoch. */
  exp?: number;
  'kubernetes.io'?: {
    namespace: string;
    serviceaccount: { name: string; uid: string };
    pod?: { name: string; uid: string };
  };
}

/** The calling pod, according to its token. */
export interface PodSubject {
  namespace: string;
  serviceAccount: string;
  podName: string;
  podUid: string;
}

const namespaceOfShapes = 'com.amazonaws.eksauth';

function structure(name: string, members: Record<string, unknown>, traits: Record<string, number> = {}) {
  const shapes = Object.entries(members).map(([member, shape]) => (traits[member] ? [shape, traits[member]] : shape));
  return [3, namespaceOfShapes, name, 0, Object.keys(members), shapes, shapes.length];
}

function failure(name: string, httpError: number) {
  return [-3, namespaceOfShapes, name, { error: httpError < 500 ? 'client' : 'server', httpError }, ['message'], [0]];
}

const [text, timestamp, inPath] = [0, 4, 1];
const subject = structure('Subject', { namespace: text, serviceAccount: text });
const association = structure('PodIdentityAssociation', { associationArn: text, associationId: text });
const assumedRoleUser = structure('AssumedRoleUser', { arn: text, assumeRoleId: text });
const credentials = structure('Credentials', {
  sessionToken: text,
  secretAccessKey: text,
  accessKeyId: text,
  expiration: timestamp,
});
const request = structure(
  'AssumeRoleForPodIdentityRequest',
  { clusterName: text, token: text },
  { clusterName: inPath },
);
const response = structure('AssumeRoleForPodIdentityResponse', {
  subject: () => subject,
  audience: text,
  podIdentityAssociation: () => association,
  assumedRoleUser: () => assumedRoleUser,
  credentials: () => credentials,
});

/** The service's model (2023-11-26) in the form of an SDK client's exports; no such client is among the dependencies. */
const sdk = {
  AssumeRoleForPodIdentity$: [
    9,
    namespaceOfShapes,
    'AssumeRoleForPodIdentity',
    { http: ['POST', '/clusters/{clusterName}/assume-role-for-pod-identity', 200] },
    () => request,
    () => response,
  ],
  AccessDeniedException$: failure('AccessDeniedException', 400),
  ExpiredTokenException$: failure('ExpiredTokenException', 400),
  InvalidParameterException$: failure('InvalidParameterException', 400),
  InvalidRequestException$: failure('InvalidRequestException', 400),
  InvalidTokenException$: failure('InvalidTokenException', 400),
  ResourceNotFoundException$: failure('ResourceNotFoundException', 404),
  ThrottlingException$: failure('ThrottlingException', 429),
};

/** The API that a node's Pod Identity agent calls for the node's pods. */
export const eksAuthService: Service = {
  signingName: 'eks-auth',
  sdk,
  operations: {
    AssumeRoleForPodIdentity: operation<Input, object>({
      writes: false,
      permissions: ({ clusterName = '' }, cx) => [
        { action: 'eks-auth:AssumeRoleForPodIdentity', resources: [eksArn(cx, `cluster/${clusterName}`)] },
      ],
      run({ clusterName, token = '' }, cx) {
        const cluster = findActiveCluster(cx, clusterName);
        const pod = verifyToken(cluster, token, cx.now);
        const { session, ...given } = podIdentitySession(cx.world, cluster, pod);
        return {
          subject: { namespace: pod.namespace, serviceAccount: pod.serviceAccount },
          audience: podIdentityAudience,
          podIdentityAssociation: { associationArn: given.associationArn, associationId: given.associationId },
          assumedRoleUser: given.assumedRoleUser,
          credentials: session,
        };
      },
    }),
  },
};

/** The role's session for a pod of the cluster, with the six tags, all transitive. @throws AwsError as EKS Auth answers */
export function podIdentitySession(
  world: World,
  cluster: Cluster,
  pod: PodSubject,
): {
  associationArn: string;
  associationId: string;
  assumedRoleUser: { arn: string; assumeRoleId: string };
  session: Session;
} {
  const { namespace, serviceAccount, podName, podUid } = pod;
  const found = [...cluster.associations.values()].find(
    (one) => one.namespace === namespace && one.serviceAccount === serviceAccount,
  );
  if (!found)
    throw new AwsError(
      'ResourceNotFoundException',
      `No pod identity association found for service account ${namespace}/${serviceAccount}`,
    );
  const tags = {
    'eks-cluster-arn': cluster.arn,
    'eks-cluster-name': cluster.name,
    'kubernetes-namespace': namespace,
    'kubernetes-service-account': serviceAccount,
    'kubernetes-pod-name': podName,
    'kubernetes-pod-uid': podUid,
  };
  const role = world.iam.effectiveRoleByArn(found.roleArn);
  const trust = role && world.iam.effectiveTrust(role);
  const context = {
    'aws:SourceAccount': cluster.accountId,
    'aws:SourceArn': cluster.arn,
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  };
  const actions = ['sts:AssumeRole', ...(found.disableSessionTags ? [] : ['sts:TagSession'])];
  const allowed = actions.every(
    (action) =>
      trust &&
      trusted(trust, { service: podIdentityAudience }, { action, resource: found.roleArn, context }) === 'named',
  );
  if (!role || !allowed)
    throw new AwsError(
      'AccessDeniedException',
      'Unauthorized Exception! EKS does not have permissions to assume the associated role.',
    );
  const sessionName = `eks-${cluster.name}-${podName}-${randomUUID()}`.slice(0, 64);
  const session = world.sts.open(role, {
    sessionName,
    durationSeconds: sessionSeconds,
    ...(found.disableSessionTags ? {} : { sessionTags: tags }),
  });
  return {
    associationArn: found.arn,
    associationId: found.id,
    assumedRoleUser: {
      arn: `arn:aws:sts::${role.accountId}:assumed-role/${role.name}/${sessionName}`,
      assumeRoleId: `${role.id}:${sessionName}`,
    },
    session,
  };
}

/** A token of this cluster's issuer, for Pod Identity, of an existing pod. */
function verifyToken(cluster: Cluster, token: string, now: number): PodSubject {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const key = { key: cluster.kubernetes.tokens.publicKey, dsaEncoding: 'ieee-p1363' } as const;
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
    throw invalidToken('The token’s signature does not belong to the cluster');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
  if (claims.iss !== cluster.issuer) throw invalidToken('The token was not issued by the cluster');
  if (!claims.aud?.includes(podIdentityAudience))
    throw invalidToken(`The token’s audience is not ${podIdentityAudience}`);
  if ((claims.exp ?? 0) * 1000 <= now) throw new AwsError('ExpiredTokenException', 'The token has expired');
  const bound = claims['kubernetes.io'];
  if (!bound?.pod) throw invalidToken('The token is not bound to a pod');
  const { namespace, serviceaccount, pod } = bound;
  if (podUid(cluster.kubernetes, namespace, pod.name) !== pod.uid)
    throw invalidToken(`The pod ${namespace}/${pod.name} that the token is bound to does not exist`);
  return { namespace, serviceAccount: serviceaccount.name, podName: pod.name, podUid: pod.uid };
}

function podUid(kubernetes: Kubernetes, namespace: string, name: string): string | undefined {
  const pod = kubernetes.get('Pod', namespace, name) as { metadata: { uid?: string } } | undefined;
  return pod?.metadata.uid;
}

function invalidToken(message: string): AwsError {
  return new AwsError('InvalidTokenException', message);
}
