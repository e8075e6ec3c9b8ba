import type { World } from '../../world.ts';
import { allowsService } from '../s3/bucket-policy.ts';
import type { Report, ReportStatus } from './service.ts';

/** The account in which AWS's billing service ran before it had a service principal; policies of those days name its root. */
const billingAccountId = '386209384616';

/**
 * The reason why AWS cannot write to the bucket, if any; every delivery checks again. A new report is tried with an object at the root of
 * the bucket, a delivery only writes under the report's own folder, so a policy for one prefix holds for old reports.
 */
export function deliveryProblem(
  world: World,
  { accountId, definition }: Pick<Report, 'accountId' | 'definition'>,
  occasion: 'creation' | 'delivery',
): ReportStatus['lastStatus'] {
  const bucket = world.s3.buckets.get(definition.S3Bucket);
  if (!bucket) return 'ERROR_NO_BUCKET';
  const arn = `arn:aws:s3:::${bucket.name}`;
  const orgId = world.organizations.of(accountId)?.id;
  const source = {
    // AWS's own example uses StringEquals with this literal `*`. Reports of others say that it sends the name: a test may set that.
    'aws:SourceArn': `arn:aws:cur:us-east-1:${accountId}:definition/${world.cur.sendsReportName ? definition.ReportName : '*'}`,
    'aws:SourceAccount': accountId,
    ...(orgId !== undefined && { 'aws:SourceOrgID': orgId }),
  };
  const service = { name: 'billingreports.amazonaws.com', accountId: billingAccountId };
  const may = (action: string, resource: string) => allowsService(bucket, service, action, resource, source);
  const file =
    occasion === 'creation'
      ? 'aws-programmatic-access-test-object'
      : `${definition.S3Prefix}/${definition.ReportName}/crawler-cfn.yml`;
  const allowed =
    bucket.accountId === accountId &&
    bucket.region === definition.S3Region &&
    may('s3:GetBucketAcl', arn) &&
    may('s3:GetBucketPolicy', arn) &&
    may('s3:PutObject', `${arn}/${file}`);
  return allowed ? undefined : 'ERROR_PERMISSIONS';
}
