import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import * as z from 'zod';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import type { Partition } from '../model/steps-and-outputs.ts';
import { manifestKey, monthNumber, type ReportPlace, reportRoot } from './report-location.ts';

export interface Delivery {
  /** The CloudFormation template that AWS writes beside the report. */
  templateKey: string | undefined;
  newest: { partition: Partition; manifestKey: string; deliveredAt: string; missing: string[] } | undefined;
}

const Manifest = z.object({ reportKeys: z.array(z.string()) });

/** Lists the report's folder, and reads the newest manifest if there is one. */
export async function readDelivery(payer: TargetAccount, report: ReportPlace & { region: string }): Promise<Delivery> {
  const s3 = payer.client(S3Client, report.region);
  const named = { Bucket: report.bucket, ExpectedBucketOwner: payer.accountId };
  const written = new Map<string, number>();
  let token: string | undefined;
  do {
    const page = await absentIf(['NoSuchBucket'], () =>
      s3.send(new ListObjectsV2Command({ ...named, Prefix: reportRoot(report), ContinuationToken: token })),
    );
    for (const { Key = '', LastModified } of page?.Contents ?? []) written.set(Key, LastModified?.getTime() ?? 0);
    token = page?.NextContinuationToken;
  } while (token);

  const keys = [...written.keys()];
  const templateKey = templateAmong(keys, written, report);
  const partition = newestPartition(keys, report);
  if (!partition) return { templateKey, newest: undefined };
  const Key = manifestKey(report, partition);
  const object = await s3.send(new GetObjectCommand({ ...named, Key }));
  const { reportKeys } = Manifest.parse(JSON.parse((await object.Body?.transformToString()) ?? ''));
  const times = [Key, ...reportKeys].map((key) => written.get(key) ?? 0);
  return {
    templateKey,
    newest: {
      partition,
      manifestKey: Key,
      deliveredAt: new Date(Math.max(...times)).toISOString(),
      missing: reportKeys.filter((key) => !written.has(key)),
    },
  };
}

/** In practice AWS writes it to the report's folder; the User Guide also shows it in a month's folder. */
function templateAmong(keys: string[], written: Map<string, number>, report: ReportPlace): string | undefined {
  const usual = `${reportRoot(report)}crawler-cfn.yml`;
  if (written.has(usual)) return usual;
  return keys
    .filter((key) => key.endsWith('/crawler-cfn.yml'))
    .toSorted((a, b) => (written.get(b) ?? 0) - (written.get(a) ?? 0))[0];
}

function newestPartition(keys: string[], report: ReportPlace): Partition | undefined {
  const months = keys.flatMap((key) => {
    const [, year, month] = /\/year=(\d{4})\/month=(\d{1,2})\/[^/]+-Manifest\.json$/.exec(key) ?? [];
    return year && month && key === manifestKey(report, { year, month }) ? [{ year, month }] : [];
  });
  return months.toSorted((a, b) => monthNumber(b) - monthNumber(a))[0];
}
