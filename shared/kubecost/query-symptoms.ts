import type { ErrorCode } from '../errors/catalogue.ts';

/** What a text of Athena or of the consumer's AWS client means here. */
export interface Symptom {
  pattern: RegExp;
  means: string;
  /** True where only somebody's change helps; everything else may pass while IAM and credentials settle. */
  lasting: boolean;
  /** Where the catalogue knows more than that the connection failed. */
  code?: ErrorCode;
}

/**
 * The more telling first. Sources: Kubecost's AWS troubleshooting guide; opencost issues 2697 (endpoints), 2898 (engine), 3076
 * (resource ids), 3204 (names), 3257 (managed results), 3904 (denied sessions); aws/eks-pod-identity-agent 80 (session tags).
 */
const symptoms: readonly Symptom[] = [
  {
    pattern: /line_item_resource_id' cannot be resolved/,
    means: 'the report has no resource ids and must be made anew',
    lasting: true,
  },
  {
    pattern: /Column '(year|month)' cannot be resolved|HIVE_/,
    means: 'the table was not made by AWS’s crawler',
    lasting: true,
  },
  { pattern: /Lake Formation/, means: 'Lake Formation withholds the table from the payer role', lasting: true },
  {
    pattern: /TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|does not exist/,
    means: 'database or table is not in this account and region',
    lasting: true,
  },
  {
    pattern: /Queries of this type are not supported/,
    means: 'Athena could not set up the engine: deploy the crawler stack anew',
    lasting: true,
  },
  { pattern: /ManagedQueryResults/, means: 'the workgroup keeps results in Athena’s own storage', lasting: true },
  { pattern: /WorkGroup is not found/, means: 'the workgroup is not in this account and region', lasting: true },
  { pattern: /outputLocation is not a valid S3 path/, means: 'the location lacks s3://', lasting: true },
  { pattern: /ResolveEndpointV2/, means: 'the consumer’s AWS client is broken: upgrade the chart', lasting: true },
  {
    pattern: /Unable to verify\/create output bucket/,
    means: 'the results bucket is missing, in another region or closed to the payer role',
    lasting: false,
  },
  {
    pattern: /Permission denied on S3 path/,
    means: 'the payer role’s policy does not cover the report’s bucket',
    lasting: false,
  },
  {
    pattern: /sts:TagSession/,
    means: 'the session tags of EKS Pod Identity are not allowed',
    lasting: false,
    code: 'tag-session-missing',
  },
  {
    pattern: /AssumeRoleWithWebIdentity|No OpenIDConnect provider found/,
    means: 'the pod does not get its role',
    lasting: false,
    code: 'web-identity-denied',
  },
  {
    pattern: /AssumeRole\b|get credentials/,
    means: 'the pod role does not get the payer role',
    lasting: false,
    code: 'payer-role-denied',
  },
  { pattern: /INTERNAL_ERROR_QUERY_ENGINE/, means: 'Athena’s engine failed; the next try may do', lasting: false },
  { pattern: /dial tcp|no such host/, means: 'the pod does not reach AWS’s endpoints', lasting: false },
  {
    pattern: /no query results available for query/,
    means: 'Athena’s query history in the payer account holds the reason',
    lasting: false,
  },
];

export function symptomOf(text: string): Symptom | undefined {
  return symptoms.find(({ pattern }) => pattern.test(text));
}

/** The text, and in brackets what it means where that is known. */
export function explained(text: string): string {
  const means = symptomOf(text)?.means;
  return means === undefined ? text : `${text} (${means})`;
}
