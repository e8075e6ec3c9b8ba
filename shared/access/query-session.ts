import { AthenaClient } from '@aws-sdk/client-athena';
import type { AwsCredentialIdentity } from '@smithy/types';
import { newClient } from '../aws/clients.ts';
import { workgroupPermissions } from '../billing/athena-workgroup.ts';
import { curBucketPermissions } from '../billing/cur-bucket.ts';
import { reportTablePermissions } from '../billing/report-table.ts';
import { resultsBucketPermissions } from '../billing/results-bucket.ts';
import { UserError } from '../errors/errors.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Permission, StepContext, Wait } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { type Access, tooOldFor } from './access-template.ts';
import { podChainPermission, walkPodChain } from './credential-chain.ts';
import { dataPolicy, type PayerData } from './payer-policy.ts';
import { sessionPolicyOf, tooLong } from './session-policy.ts';

/**
 * What a query proves. `pod-chain`: Kubecost's pod can run it. `narrowed-session`: the payer role's policy is enough for it. `table-only`:
 * our own role can run it.
 */
export type ProofLevel = Outputs['smoke-query']['level'];

/** An Athena client whose rights a query proves. */
export interface QuerySession {
  athena: AthenaClient;
  level: ProofLevel;
}

/** Without the pod's credentials the query runs in a session of our own role, which needs all rights of the payer role's policy. */
export const querySessionPermissions = {
  payer: [
    workgroupPermissions.query,
    reportTablePermissions.query,
    {
      actions: resultsBucketPermissions.list.actions,
      resources: [...curBucketPermissions.list.resources, ...resultsBucketPermissions.list.resources],
    },
    curBucketPermissions.readObjects,
    resultsBucketPermissions.writeResults,
  ],
  cluster: [podChainPermission],
} as const satisfies Record<string, readonly Permission[]>;

/** IAM shows a policy everywhere within two minutes; until then a passing denial looks like a lasting one. */
export const propagationMs = 120_000;

/** A lasting denial is refused with Athena's message before this deadline. */
export const rightsWait: Wait = {
  reason: 'the payer role’s rights to take effect',
  seconds: 10,
  deadlineSeconds: 3 * (propagationMs / 1000),
  overdue: 'query-failed',
};

export function queryWait(id: string): Wait {
  const times = { seconds: 5, deadlineSeconds: 600, expectedSeconds: 10 };
  return { reason: `Athena to finish query ${id}`, ...times, overdue: 'query-overdue' };
}

/** @throws UserError if AWS denies a step of the pod's credential chain */
export async function openQuerySession(cx: StepContext, data: PayerData): Promise<QuerySession> {
  const { credentials, level } = await credentialsFor(cx, data);
  return { athena: newClient(AthenaClient, data.region, () => Promise.resolve(credentials)), level };
}

async function credentialsFor(
  cx: StepContext,
  data: PayerData,
): Promise<{ credentials: AwsCredentialIdentity; level: ProofLevel }> {
  const chain = await walkPodChain(cx);
  if ('refused' in chain) throw new UserError(chain.refused, chain.detail);
  if ('credentials' in chain) return { credentials: chain.credentials, level: 'pod-chain' };
  const policy = sessionPolicyOf(dataPolicy(data));
  if (policy === undefined) return { credentials: await cx.payer.credentials(), level: 'table-only' };
  return { credentials: await cx.payer.narrowedCredentials(policy), level: 'narrowed-session' };
}

/** The level of a session without the pod's credentials. */
export function levelWithoutPod(data: PayerData): Exclude<ProofLevel, 'pod-chain'> {
  return sessionPolicyOf(dataPolicy(data)) === undefined ? 'table-only' : 'narrowed-session';
}

/** A query with our own role is denied where the access template is older than its rights on partitions and uploads. */
export function levelTooOld(access: Access, level: ProofLevel): Problem | undefined {
  return level === 'pod-chain' ? undefined : tooOldFor(access, 'a query without a running pod', 1);
}

/** Warns where the query has not proven the payer role's rights. */
export function levelWarnings(level: ProofLevel, data: PayerData): string[] {
  if (level !== 'table-only') return [];
  return [
    `the query ran with the rights of our own role, so it does not prove those of the payer role: ${tooLong(dataPolicy(data))}`,
  ];
}

/** A pod may start or end between a query and its rows: then only the weaker of the two levels is proven. */
export function weakerLevel(a: ProofLevel, b: ProofLevel): ProofLevel {
  const levels: ProofLevel[] = ['table-only', 'narrowed-session', 'pod-chain'];
  return levels.find((level) => level === a || level === b) ?? a;
}
