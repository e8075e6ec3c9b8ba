import { deflateRawSync } from 'node:zlib';
import type * as sdk from '@aws-sdk/client-sts';
import { listOf } from '../../policy-evaluation.ts';
import { AwsError, type Caller } from '../../service.ts';
import { invalid, readIdentityPolicy } from '../iam/policy-documents.ts';
import type { IamState, Role } from '../iam/state.ts';
import type { Session } from './state.ts';

interface SessionRequest {
  RoleArn: string | undefined;
  RoleSessionName: string | undefined;
  DurationSeconds?: number | undefined;
}

/** The checks that AssumeRole and AssumeRoleWithWebIdentity share before they read the role. */
export function checkSessionRequest({ RoleArn = '', RoleSessionName = '', DurationSeconds }: SessionRequest): void {
  if (!/^arn:aws:iam::\d{12}:role\/.+/.test(RoleArn)) throw new AwsError('ValidationError', `${RoleArn} is invalid`);
  checkPattern('roleSessionName', RoleSessionName, /^[\w+=,.@-]{2,64}$/, '[\\w+=,.@-]{2,64}');
  if (DurationSeconds !== undefined && (DurationSeconds < 900 || DurationSeconds > 43_200))
    throw invalid('durationSeconds', 'Member must have value between 900 and 43200');
}

export function checkPattern(member: string, value: string, pattern: RegExp, shown: string): void {
  if (!pattern.test(value)) throw invalid(member, `Member must satisfy regular expression pattern: ${shown}`);
}

export function checkDuration(role: Role, caller: Caller | undefined, seconds = 3600): void {
  if (caller?.roleArn !== undefined && seconds > 3600)
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  if (seconds > role.maxSessionDuration)
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
}

interface PolicyRequest {
  Policy?: string | undefined;
  PolicyArns?: sdk.PolicyDescriptorType[] | undefined;
}

/** The session policies as one document: within a session they add up. */
export function sessionPolicyOf({ Policy, PolicyArns = [] }: PolicyRequest, iam: IamState): string | undefined {
  if (Policy === undefined && PolicyArns.length === 0) return undefined;
  if ((Policy?.length ?? 0) > 2048) throw invalid('policy', 'Member must have length less than or equal to 2048');
  if (PolicyArns.length > 10) throw invalid('policyArns', 'Member must have length less than or equal to 10');
  const documents = PolicyArns.map(({ arn = '' }) => {
    const document = iam.attachablePolicy(arn)?.content.current?.document;
    if (!document) throw new AwsError('ValidationError', `PolicyArn ${arn} does not exist or is not attachable.`);
    return document;
  });
  if (Policy !== undefined) documents.push(readIdentityPolicy(Policy).document);
  // Sids may repeat between documents; the sandbox does not read them.
  return JSON.stringify({ Version: '2012-10-17', Statement: documents.flatMap(({ Statement }) => listOf(Statement)) });
}

/**
 * Percent of STS's limit for packed policies and tags. The format is not published; the six tags of EKS Pod Identity (about 285
 * characters) are known to take 74 percent.
 */
export function packedSize(policy: string | undefined, tags: Record<string, string>): number {
  const tagCharacters = Object.entries(tags).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  const policyBytes = policy === undefined ? 0 : deflateRawSync(policy).length;
  const size = Math.ceil((tagCharacters / 385 + policyBytes / 1024) * 100);
  if (size > 100)
    throw new AwsError(
      'PackedPolicyTooLargeException',
      `Packed policy consumes ${size}% of allotted space, please use smaller policy.`,
    );
  return size;
}

export function sessionAnswer(session: Session, role: Role, sessionName: string) {
  return {
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: session.expiration,
    },
    AssumedRoleUser: {
      AssumedRoleId: `${role.id}:${sessionName}`,
      Arn: `arn:aws:sts::${role.accountId}:assumed-role/${role.name}/${sessionName}`,
    },
  };
}
