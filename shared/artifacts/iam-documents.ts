import * as z from 'zod';
import { payerRolesGrant } from '../access/grant-policy.ts';
import { dataPolicy, payerDataOf, tagsPolicy } from '../access/payer-policy.ts';
import { payerTrust } from '../access/payer-trust.ts';
import { podIdentityTrust, webIdentityTrust } from '../access/pod-trust.ts';
import { tlsOnlyStatement } from '../aws/bucket.ts';
import { dataPolicyName, grantPolicyName, tagsPolicyName } from '../aws/names.ts';
import { type PolicyDocument, policyOf, type Statement } from '../aws/policy-document.ts';
import { billingStatements } from '../billing/cur-bucket-policy.ts';
import { outputOf, podRoleOf, type RunRecord } from '../model/run.ts';
import type { StepName } from '../model/step-names.ts';
import { clusterArnOf } from '../model/target.ts';
import type { OutputsSoFar } from './outputs-so-far.ts';

export const IamDocument = z
  .object({
    file: z.string().meta({ description: 'File name of the document in the commands' }),
    accountId: z.string().meta({ description: 'Account of the document' }),
    kind: z.enum(['trust-policy', 'managed-policy', 'inline-policy', 'bucket-policy']),
    policyName: z
      .string()
      .nullable()
      .meta({ description: 'Name of a managed or inline policy; null for any other document' }),
    attachedTo: z.string().nullable().meta({ description: 'ARN of the role or bucket' }),
    document: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: 'The statements of this run. Keep the other statements of a shared document' }),
  })
  .meta({ id: 'IamDocument' });
type IamDocument = z.infer<typeof IamDocument>;

/** The step that gives the pod its role in this run's identity mode. */
export function podRoleStep({ request }: Pick<RunRecord, 'request'>): StepName {
  return request.identity.mode === 'irsa' ? 'pod-role' : 'pod-identity';
}

/** Every IAM document of the run, from the functions that the steps use. */
export function iamDocuments(run: RunRecord, known: OutputsSoFar): IamDocument[] {
  const { payerAccountId, cluster } = run.request;
  const podStep = podRoleStep(run);
  const podRoleArn = known.when([podStep], () => podRoleOf(run).podRoleArn);
  const payerRoleArn = known.when(['payer-role'], () => outputOf(run, 'payer-role').payerRoleArn);
  const inCluster = (needs: StepName[], render: () => PolicyDocument) => ({
    accountId: cluster.accountId,
    attachedTo: podRoleArn,
    document: known.when(needs, () => ({ ...render() })),
  });
  const inPayer = (needs: StepName[], render: () => PolicyDocument) => ({
    accountId: payerAccountId,
    attachedTo: payerRoleArn,
    document: known.when(needs, () => ({ ...render() })),
  });
  return [
    {
      file: 'pod-role-trust.json',
      kind: 'trust-policy',
      policyName: null,
      ...inCluster([podStep], () => policyOf(podTrust(run))),
    },
    {
      file: 'pod-role-grant.json',
      kind: 'managed-policy',
      policyName: known.when([podStep], () => grantPolicyName(...podOf(run))),
      ...inCluster(['payer-role'], () => policyOf(payerRolesGrant([outputOf(run, 'payer-role').payerRoleArn]))),
    },
    {
      file: 'payer-role-trust.json',
      kind: 'trust-policy',
      policyName: null,
      ...inPayer([podStep], () => policyOf(payerTrust(cluster.accountId, [podRoleOf(run).podRoleArn]))),
    },
    {
      file: 'payer-role-data.json',
      kind: 'inline-policy',
      policyName: dataPolicyName,
      ...inPayer(['cur-bucket', 'cur-report', 'crawler-table', 'athena-results'], () => dataPolicy(payerDataOf(run))),
    },
    {
      file: 'payer-role-tags.json',
      kind: 'inline-policy',
      policyName: tagsPolicyName,
      ...inPayer([], () => tagsPolicy),
    },
    ...bucketPolicies(run, known),
  ];
}

function podOf(run: RunRecord): [clusterArn: string, namespace: string, serviceAccount: string] {
  return [clusterArnOf(run.request), run.request.kubecost.namespace, podRoleOf(run).serviceAccount];
}

function podTrust(run: RunRecord): Statement {
  const [clusterArn, namespace, serviceAccount] = podOf(run);
  const pod = { clusterArn, namespace, serviceAccount };
  if (run.request.identity.mode === 'pod-identity') return podIdentityTrust(pod).statement;
  const { oidcProviderArn } = outputOf(run, 'pod-role');
  return webIdentityTrust(pod, oidcProviderArn, oidcProviderArn.split(':oidc-provider/')[1] ?? '').statement;
}

/** Empty for an adopted bucket, which the run does not change. */
function bucketPolicies(run: RunRecord, known: OutputsSoFar): IamDocument[] {
  const found = known.find('cur-bucket');
  if (found?.adopted) return [];
  const accountId = run.request.payerAccountId;
  return [
    {
      file: 'cur-bucket-policy.json',
      accountId,
      kind: 'bucket-policy',
      policyName: null,
      attachedTo: found ? `arn:aws:s3:::${found.bucket}` : null,
      document: known.when(['cur-bucket'], () => {
        const { bucket } = outputOf(run, 'cur-bucket');
        return { ...policyOf(...billingStatements(bucket, accountId), tlsOnlyStatement(bucket)) };
      }),
    },
  ];
}
