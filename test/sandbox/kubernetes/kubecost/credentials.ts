import { randomUUID } from 'node:crypto';
import { AwsError, type Caller, type Service } from '../../service.ts';
import type { Cluster } from '../../services/eks/state.ts';
import { podIdentitySession } from '../../services/eks-auth.ts';
import { stsService } from '../../services/sts/service.ts';
import type { World } from '../../world.ts';
import { KubernetesFailure } from '../failure.ts';
import type { RunningPod } from '../kubelet.ts';
import type { Authorizer } from './authorizers.ts';

interface Called {
  caller: Caller;
  region: string;
}

/** The SDK's message about a failed call, as the ingestor logs it. */
export class SdkError extends Error {}

/** Calls an operation directly: with the caller's permissions, but not recorded among the product's calls. @throws SdkError */
export function ask(world: World, service: Service, name: string, input: object, called: Called): unknown {
  const operation = service.operations[name];
  if (!operation) throw new Error(`the sandbox has no ${service.signingName}:${name}`);
  const cx = { world, ...called, now: world.clock.now() };
  try {
    for (const permission of operation.permissions(input as never, cx)) {
      const context = { 'aws:RequestedRegion': called.region, ...permission.context };
      const { allowed, message } = world.iam.evaluate(called.caller, { ...permission, context });
      if (!allowed) throw new AwsError('AccessDeniedException', message, 400);
    }
    return operation.run(input as never, cx);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    const { code, message, status = 400 } = error;
    const api = service.signingName === 'sts' ? 'STS' : 'Athena';
    const named = code.startsWith('AccessDenied') ? `api error ${code}` : code;
    throw new SdkError(
      `operation error ${api}: ${name}, https response error StatusCode: ${status}, RequestID: ${randomUUID()}, ${named}: ${message}`,
    );
  }
}

/** A container's credentials from AWS's default chain and from its configurations. */
export class PodCredentials {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #pod: RunningPod;
  readonly #container: string;
  #cached: { caller: Caller; expiresAt: number } | undefined;

  constructor(world: World, cluster: Cluster, pod: RunningPod, container: string) {
    this.#world = world;
    this.#cluster = cluster;
    this.#pod = pod;
    this.#container = container;
  }

  /** Gets credentials through an authorizer's chain. @throws SdkError */
  caller(authorizer: Authorizer, region: string): Caller {
    const { type, fields, inner } = authorizer;
    if (type === 'AWSServiceAccount') return this.#own(region);
    if (type === 'AWSAssumeRole' && inner)
      return this.#assume(fields.roleARN ?? '', this.caller(inner, region), region);
    // The sandbox has no access keys of users.
    throw new SdkError('api error UnrecognizedClientException: The security token included in the request is invalid.');
  }

  /** Without an external id, because OpenCost has no setting for it [OpenCost, pkg/cloud/aws/authorizer.go]. */
  #assume(RoleArn: string, caller: Caller, region: string): Caller {
    const input = { RoleArn, RoleSessionName: `aws-go-sdk-${this.#world.clock.now()}` };
    return this.#callerOf(
      refreshed(() => ask(this.#world, stsService, 'AssumeRole', input, { caller, region })) as Answered,
    );
  }

  /** Web identity precedes the container's credentials in the SDK's chain. */
  #own(region: string): Caller {
    const now = this.#world.clock.now();
    if (this.#cached && this.#cached.expiresAt > now) return this.#cached.caller;
    const env = this.#pod.env(this.#container);
    const caller =
      env.AWS_ROLE_ARN !== undefined && env.AWS_WEB_IDENTITY_TOKEN_FILE !== undefined
        ? this.#byWebIdentity(env.AWS_ROLE_ARN, env.AWS_REGION ?? region)
        : env.AWS_CONTAINER_CREDENTIALS_FULL_URI !== undefined
          ? this.#byPodIdentity()
          : undefined;
    if (!caller)
      throw new SdkError(
        'failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled, context deadline exceeded',
      );
    // The SDK refreshes credentials some minutes before they expire.
    this.#cached = { caller, expiresAt: now + 50 * 60_000 };
    return caller;
  }

  #byWebIdentity(RoleArn: string, region: string): Caller {
    const { namespace, serviceAccount, name, uid } = this.#pod;
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name, uid };
    const spec = { audiences: ['sts.amazonaws.com'], expirationSeconds: 86_400, boundObjectRef };
    const token = projected(() => this.#cluster.kubernetes.tokens.issue(namespace, serviceAccount, { spec }));
    const input = { RoleArn, RoleSessionName: String(this.#world.clock.now()), WebIdentityToken: token };
    const called = { caller: { accountId: 'anonymous', arn: 'anonymous' }, region };
    return this.#callerOf(
      refreshed(() => ask(this.#world, stsService, 'AssumeRoleWithWebIdentity', input, called)) as Answered,
    );
  }

  /** The session that the agent on the node gets from EKS; its tags are transitive. */
  #byPodIdentity(): Caller {
    const { namespace, serviceAccount, name: podName, uid: podUid } = this.#pod;
    try {
      const { session } = podIdentitySession(this.#world, this.#cluster, {
        namespace,
        serviceAccount,
        podName,
        podUid,
      });
      return this.#callerOf({ Credentials: { AccessKeyId: session.accessKeyId, SessionToken: session.sessionToken } });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      throw new SdkError(
        `failed to refresh cached credentials, failed to load credentials, : [${randomUUID()}]: (${error.code}): ${error.message}, fault: client`,
      );
    }
  }

  #callerOf({ Credentials }: Answered): Caller {
    const { caller } = this.#world.sts.authenticate(Credentials.AccessKeyId, Credentials.SessionToken);
    if (!caller) throw new Error('STS does not know a session it has just opened');
    return caller;
  }
}

interface Answered {
  Credentials: { AccessKeyId: string; SessionToken: string };
}

/** The token in the pod's file: the kubelet cannot renew it after the deletion of the service account. */
function projected(issue: () => object): string {
  try {
    return (issue() as { status: { token: string } }).status.token;
  } catch (error) {
    if (error instanceof KubernetesFailure)
      throw new SdkError('failed to refresh cached credentials, failed to retrieve jwt from provide source');
    throw error;
  }
}

function refreshed<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof SdkError) throw new SdkError(`failed to refresh cached credentials, ${error.message}`);
    throw error;
  }
}
