import type { World } from '../sandbox/index.ts';
import { deployProvisioner } from './provisioners.ts';

const bases = { payer: 111_100_000_000, cluster: 222_200_000_000 };

/** Account ids by number, one range for each kind. */
export function accountAt(kind: keyof typeof bases, index: number): string {
  return String(bases[kind] + index);
}

const region = 'us-east-1';

/** A payer account whose report is delivered and crawled, so an onboarding does not wait. */
export function seedPayerWithTable(world: World, accountId: string): void {
  const bucket = `cur-${accountId}`;
  const report = 'daily';
  deployProvisioner(world, 'payer', accountId, { CurBucket: bucket });
  const now = new Date(world.clock.now());
  world.cur.seedReport({
    accountId,
    definition: { ReportName: report, S3Bucket: bucket, S3Prefix: 'billing', S3Region: region },
    deliveredSince: Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1),
  });
  world.glue.seedTable({
    accountId,
    region,
    database: 'athenacurcfn_daily',
    table: 'daily',
    location: `s3://${bucket}/billing/${report}/${report}/`,
  });
}
