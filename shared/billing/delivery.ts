import { createHash } from 'node:crypto';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import type { BillingMonth, DeliveredKey, Manifest, ReportPlace } from './report-kind.ts';
import { reportKindOf } from './report-kinds.ts';
import { monthNumber, reportRoot } from './report-location.ts';

/**
 * What says that a month is delivered, from strong to weak.
 * - `manifest`: its manifest, and every file that the manifest names.
 * - `incomplete`: its manifest, but not every file yet.
 * - `no-data`: its manifest, which names no file: AWS has no usage for the month.
 * - `files`: data files in the folder of the month, without a manifest.
 */
type Evidence = 'manifest' | 'incomplete' | 'no-data' | 'files';

export interface DeliveredMonth {
  evidence: Evidence;
  month: BillingMonth;
  /** The month as its data folder spells it, `03` or `3`; undefined without data. */
  monthText: string | undefined;
  manifestKey: string | null;
  deliveredAt: string;
  /** Changes with the key and the size of any data file. */
  fingerprint: string;
  /** Files that the manifest names and that are not there. */
  missing: string[];
}

export interface Delivery {
  /** The CloudFormation template that AWS writes beside the report. */
  templateKey: string | undefined;
  /** AWS's SQL that would create the table. */
  createTableKey: string | undefined;
  /** The newest month with the strongest evidence. */
  newest: DeliveredMonth | undefined;
  /** The first month with data. */
  firstMonth: BillingMonth | undefined;
  /** Number of keys in the report's folder, and the first ones. */
  keyCount: number;
  firstKeys: string[];
  /** When AWS wrote the newest key, milliseconds since the epoch; 0 without a key. */
  lastWrittenAt: number;
}

interface Listed {
  size: number;
  /** Milliseconds since the epoch. */
  writtenAt: number;
}

type Place = ReportPlace & { region: string };

const keysShown = 20;
/** Manifests that one observation reads; the newest one is complete, except while AWS writes it. */
const manifestsRead = 3;

/** Lists the report's folder, and reads the newest manifests. */
export async function readDelivery(payer: TargetAccount, report: Place): Promise<Delivery> {
  const listed = await listKeys(payer, report, reportRoot(report));
  const { layout } = reportKindOf(report);
  const found = [...listed].flatMap(([key, facts]) => {
    const meaning = layout.recognise(report, key);
    return meaning ? [{ key, ...facts, meaning }] : [];
  });
  const latest = (is: DeliveredKey['is']) =>
    found
      .filter(({ meaning }) => meaning.is === is)
      .toSorted((a, b) => b.writtenAt - a.writtenAt || a.key.length - b.key.length)[0]?.key;
  const months = dataMonths(found);
  const ofManifests = await manifestMonths(payer, report, found, listed, months);
  const byMonth = [...months.values()].toSorted((a, b) => monthNumber(b.month) - monthNumber(a.month));
  return {
    templateKey: latest('template'),
    createTableKey: latest('create-table'),
    newest: strongest([...ofManifests, ...byMonth]),
    firstMonth: byMonth.at(-1)?.month,
    keyCount: listed.size,
    firstKeys: [...listed.keys()].slice(0, keysShown),
    lastWrittenAt: [...listed.values()].reduce((latest, { writtenAt }) => Math.max(latest, writtenAt), 0),
  };
}

/** The first keys of the bucket, for a person who looks for a delivery that we do not recognise. */
export async function readFirstKeys(payer: TargetAccount, { bucket, region }: Place): Promise<string[]> {
  const list = new ListObjectsV2Command({ Bucket: bucket, ExpectedBucketOwner: payer.accountId, MaxKeys: keysShown });
  const page = await absentIf(['NoSuchBucket'], () => payer.client(S3Client, region).send(list));
  return (page?.Contents ?? []).flatMap(({ Key = '' }) => (Key === accessTestKey ? [] : Key));
}

/** AWS writes it when a report is created. */
const accessTestKey = 'aws-programmatic-access-test-object';

export async function readObject(
  payer: TargetAccount,
  { bucket, region }: Place,
  Key: string,
): Promise<string | undefined> {
  const get = new GetObjectCommand({ Bucket: bucket, ExpectedBucketOwner: payer.accountId, Key });
  const answer = await absentIf(['NoSuchKey', 'NoSuchBucket'], () => payer.client(S3Client, region).send(get));
  return answer?.Body?.transformToString();
}

/** A manifest, or undefined if the text is none. */
export function parseManifest(report: ReportPlace, text: string): Manifest | undefined {
  try {
    return reportKindOf(report).layout.readManifest(text);
  } catch {
    return undefined;
  }
}

async function listKeys(payer: TargetAccount, { bucket, region }: Place, Prefix: string): Promise<Map<string, Listed>> {
  const s3 = payer.client(S3Client, region);
  const named = { Bucket: bucket, ExpectedBucketOwner: payer.accountId, Prefix };
  const listed = new Map<string, Listed>();
  let token: string | undefined;
  do {
    const page = await absentIf(['NoSuchBucket'], () =>
      s3.send(new ListObjectsV2Command({ ...named, ContinuationToken: token })),
    );
    for (const { Key = '', LastModified, Size = 0 } of page?.Contents ?? [])
      listed.set(Key, { size: Size, writtenAt: LastModified?.getTime() ?? 0 });
    token = page?.NextContinuationToken;
  } while (token);
  return listed;
}

type Found = Listed & { key: string; meaning: DeliveredKey };

/** Each month with data files, by its number. */
function dataMonths(found: readonly Found[]): Map<number, DeliveredMonth> {
  const data = found.flatMap(({ meaning, ...file }) => (meaning.is === 'data' ? [{ ...file, ...meaning }] : []));
  return new Map(
    [...Map.groupBy(data, ({ month }) => monthNumber(month))].flatMap(([number, files]) => {
      const [first] = files;
      if (!first) return [];
      const names = files.map(({ key, size }) => `${key} ${size}`).toSorted();
      const month: DeliveredMonth = {
        evidence: 'files',
        month: first.month,
        monthText: first.monthText,
        manifestKey: null,
        deliveredAt: new Date(Math.max(...files.map(({ writtenAt }) => writtenAt))).toISOString(),
        fingerprint: createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16),
        missing: [],
      };
      return [[number, month]];
    }),
  );
}

/** What the newest manifests say; nothing of earlier months once one month is complete. */
async function manifestMonths(
  payer: TargetAccount,
  report: Place,
  found: readonly Found[],
  listed: ReadonlyMap<string, Listed>,
  months: ReadonlyMap<number, DeliveredMonth>,
): Promise<DeliveredMonth[]> {
  const rank = ({ meaning }: Found) =>
    meaning.is === 'manifest' && meaning.month ? monthNumber(meaning.month) : Infinity;
  const manifests = found
    .filter(({ meaning }) => meaning.is === 'manifest')
    .toSorted((a, b) => rank(b) - rank(a) || b.writtenAt - a.writtenAt)
    .slice(0, manifestsRead);
  const read: DeliveredMonth[] = [];
  for (const { key, writtenAt, meaning } of manifests) {
    const manifest = parseManifest(report, (await readObject(payer, report, key)) ?? '');
    const month = meaning.is === 'manifest' ? (meaning.month ?? manifest?.month) : undefined;
    if (!manifest || !month) continue;
    const data = months.get(monthNumber(month));
    const written = manifest.dataKeys.map((name) => listed.get(name)?.writtenAt);
    const evidence = evidenceOf(report, manifest, written);
    if (!evidence) continue;
    const times = [writtenAt, ...written.flatMap((time) => time ?? [])];
    read.push({
      evidence,
      month,
      monthText: data?.monthText,
      manifestKey: key,
      deliveredAt: new Date(Math.max(...times)).toISOString(),
      fingerprint: data?.fingerprint ?? '',
      missing: manifest.dataKeys.filter((name) => !listed.has(name)),
    });
    if (evidence === 'manifest') break;
  }
  return read;
}

/** Undefined for a manifest whose files lie where no table can find them. */
function evidenceOf(
  report: ReportPlace,
  { dataKeys }: Manifest,
  written: readonly (number | undefined)[],
): Evidence | undefined {
  if (dataKeys.length === 0) return 'no-data';
  if (!dataKeys.every((key) => reportKindOf(report).layout.recognise(report, key)?.is === 'data')) return undefined;
  return written.every((time) => time !== undefined) ? 'manifest' : 'incomplete';
}

/** A complete month counts more than a newer one that AWS still writes. */
function strongest(months: readonly DeliveredMonth[]): DeliveredMonth | undefined {
  const order: Evidence[] = ['manifest', 'incomplete', 'files', 'no-data'];
  for (const wanted of order) {
    const month = months.find(({ evidence }) => evidence === wanted);
    if (month) return month;
  }
  return undefined;
}
