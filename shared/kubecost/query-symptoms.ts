import type { ErrorCode } from '../errors/catalogue.ts';

/** An error text of Athena or of the consumer's AWS client, and its cause. */
export interface Symptom {
  pattern: RegExp;
  means: string;
  /** True if only a change helps; other errors may disappear when IAM changes and credentials become effective. */
  lasting: boolean;
  /** Set if the catalogue has a more specific code than connection-failed. */
  code?: ErrorCode;
}

/**
 * The more specific ones come first. Sources: Kubecost's AWS troubleshooting guide; opencost issues 2697 (endpoints), 2898 (engine), 3076
 * (resource ids), 3204 (names), 3257 (managed results), 3904 (denied sessions); aws/eks-pod-identity-agent 80 (session tags).
 */
const symptoms: readonly Symptom[] = [
  {
    pattern: /line_item_resource_id' cannot be resolved/,
    means: 'the report has no resource ids; create a new report',
    lasting: true,
  },
  {
    pattern: /HIVE_BAD_DATA/,
    means:
      'the table gives a column another type than the report’s files have; run its crawler again, or use crawler: none',
    lasting: true,
  },
  {
    pattern: /HIVE_INVALID_METADATA|CONSTRAINT_VIOLATION.*projected partition/,
    means: 'the table’s columns or its partition projection are not valid',
    lasting: true,
  },
  {
    pattern: /\bkms:|GlueEncryptionException/,
    means: 'the payer role may not use the KMS key of the report’s bucket, of the results or of the Glue catalog',
    lasting: false,
  },
  {
    pattern: /Column '(year|month)' cannot be resolved|HIVE_/,
    means: 'the crawler of AWS did not create the table',
    lasting: true,
  },
  { pattern: /Lake Formation/, means: 'Lake Formation denies the payer role access to the table', lasting: true },
  {
    pattern: /TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|does not exist/,
    means: 'the database or the table does not exist in this account and region',
    lasting: true,
  },
  {
    pattern: /Queries of this type are not supported/,
    means: 'Athena could not set up its engine; deploy the crawler stack again',
    lasting: true,
  },
  { pattern: /ManagedQueryResults/, means: 'the workgroup stores its results in Athena', lasting: true },
  {
    pattern: /WorkGroup is not found/,
    means: 'the workgroup does not exist in this account and region',
    lasting: true,
  },
  {
    pattern: /outputLocation is not a valid S3 path/,
    means: 'the results location does not start with s3://',
    lasting: true,
  },
  {
    pattern: /ResolveEndpointV2/,
    means: 'the AWS client of this consumer release is broken; upgrade the chart',
    lasting: true,
  },
  {
    pattern: /Unable to verify\/create output bucket/,
    means: 'the results bucket does not exist, is in another region or denies the payer role access',
    lasting: false,
  },
  {
    pattern: /Permission denied on S3 path/,
    means: 'the policy of the payer role does not cover the report bucket',
    lasting: false,
  },
  {
    pattern: /sts:TagSession/,
    means: 'the trust policy does not allow the session tags of EKS Pod Identity',
    lasting: false,
    code: 'tag-session-missing',
  },
  {
    pattern: /AssumeRoleWithWebIdentity|No OpenIDConnect provider found/,
    means: 'the pod cannot assume its role',
    lasting: false,
    code: 'web-identity-denied',
  },
  {
    pattern: /AssumeRole\b|get credentials/,
    means: 'the pod role cannot assume the payer role',
    lasting: false,
    code: 'payer-role-denied',
  },
  {
    pattern: /INTERNAL_ERROR_QUERY_ENGINE/,
    means: 'the Athena engine failed; the next query may succeed',
    lasting: false,
  },
  { pattern: /dial tcp|no such host/, means: 'the pod cannot reach the AWS endpoints', lasting: false },
  {
    pattern: /no query results available for query/,
    means: 'the Athena query history in the payer account shows the reason',
    lasting: false,
  },
];

export function symptomOf(text: string): Symptom | undefined {
  return symptoms.find(({ pattern }) => pattern.test(text));
}

/** True if IAM denied a call of the query; the denial may pass while IAM shows a new policy. Lake Formation's denials last. */
export function isDenial(text: string): boolean {
  if (text.includes('Lake Formation')) return false;
  return /access ?denied|not authorized|permission denied|do not seem to have access|unable to verify\/create/i.test(
    text,
  );
}

/** The text, with its cause in brackets if it is known. */
export function explained(text: string): string {
  const means = symptomOf(text)?.means;
  return means === undefined ? text : `${text} (${means})`;
}
