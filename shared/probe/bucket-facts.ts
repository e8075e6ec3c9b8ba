import {
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketIntelligentTieringConfigurationsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import type { FactList } from './fact-list.ts';
import type { ProbedAccount } from './probed-account.ts';
import type { ProbedReport } from './report-facts.ts';
import { templateDifference } from './template-difference.ts';

/** A name that somebody else has owned for long. */
const bucketOfOthers = 'test';
const keysShown = 60;

/** The bucket of a report: who may write to it, how long the data lives, what lies in the report's folder. */
export async function readBucketFacts(account: ProbedAccount, report: ProbedReport, facts: FactList): Promise<void> {
  const { S3Bucket: Bucket, S3Region: region, ReportName } = report;
  const topic = `Bucket of report ${ReportName}`;
  const s3 = account.client(S3Client, region || 'us-east-1');
  const named = { Bucket, ExpectedBucketOwner: account.accountId };
  await facts.ask(
    topic,
    'policy',
    () => s3.send(new GetBucketPolicyCommand(named)),
    ({ Policy = '' }) => withoutNames(JSON.parse(Policy)),
  );
  await facts.ask(topic, 'encryption', () => s3.send(new GetBucketEncryptionCommand(named)), withoutMetadata);
  await facts.ask(
    topic,
    'lifecycle',
    () => s3.send(new GetBucketLifecycleConfigurationCommand(named)),
    withoutMetadata,
  );
  await facts.ask(
    topic,
    'intelligent tiering',
    () => s3.send(new ListBucketIntelligentTieringConfigurationsCommand(named)),
    withoutMetadata,
  );
  await readLayout(s3, report, named, facts);
}

interface Stored {
  key: string;
  size: number;
  at: Date | undefined;
}

/** Names, sizes and times of what AWS delivered, and its template against the one that we know. */
async function readLayout(
  s3: S3Client,
  { ReportName, S3Prefix }: ProbedReport,
  named: { Bucket: string; ExpectedBucketOwner: string },
  facts: FactList,
): Promise<void> {
  const topic = `Layout of report ${ReportName}`;
  const Prefix = [S3Prefix, ReportName].filter((part) => part !== '').join('/');
  const stored: Stored[] = [];
  const list = async () => {
    let token: string | undefined;
    do {
      const page = await s3.send(new ListObjectsV2Command({ ...named, Prefix, ContinuationToken: token }));
      for (const { Key: key = '', Size: size = 0, LastModified: at } of page.Contents ?? [])
        stored.push({ key, size, at });
      token = page.NextContinuationToken;
    } while (token && stored.length < 10_000);
    return stored;
  };
  if (!(await facts.ask(topic, 'objects', list, () => stored.length))) return;
  const newestFirst = stored.toSorted((a, b) => (b.at?.getTime() ?? 0) - (a.at?.getTime() ?? 0));
  const special = newestFirst.filter(({ key }) => !/\.(parquet|gz|zip|csv)$/.test(key));
  for (const { key, size, at } of [...new Set([...special.slice(0, keysShown), ...newestFirst.slice(0, keysShown)])])
    facts.add(topic, 'key', `${key} ${size} bytes ${at?.toISOString() ?? ''}`);
  const template = special.find(({ key }) => key.endsWith('crawler-cfn.yml'));
  if (!template) {
    facts.add(topic, 'template', 'none');
    return;
  }
  await facts.ask(topic, 'template, compared by attribute paths', async () => {
    const object = await s3.send(new GetObjectCommand({ ...named, Key: template.key }));
    return templateDifference((await object.Body?.transformToString()) ?? '');
  });
}

/** What S3 answers to a caller who may not use a bucket. */
export async function readDenials(account: ProbedAccount, bucket: string | undefined, facts: FactList): Promise<void> {
  const topic = 'Denials of S3';
  const s3 = account.client(S3Client, 'us-east-1');
  const owner = { ExpectedBucketOwner: account.accountId };
  const tries: [name: string, call: () => Promise<unknown>][] = [
    [
      'GetBucketLocation, bucket of somebody else',
      () => s3.send(new GetBucketLocationCommand({ Bucket: bucketOfOthers })),
    ],
    [
      'GetBucketLocation, bucket of somebody else, with our account as expected owner',
      () => s3.send(new GetBucketLocationCommand({ Bucket: bucketOfOthers, ...owner })),
    ],
    ['HeadBucket, bucket of somebody else', () => s3.send(new HeadBucketCommand({ Bucket: bucketOfOthers }))],
  ];
  const own: typeof tries = bucket
    ? [
        [
          'GetBucketLocation, own bucket, with another expected owner',
          () => s3.send(new GetBucketLocationCommand({ Bucket: bucket, ExpectedBucketOwner: '000000000000' })),
        ],
      ]
    : [];
  for (const [name, call] of [...tries, ...own]) await facts.ask(topic, name, call, () => 'allowed');
}

/** A policy as AWS reads it: its own names of statements say nothing to us. */
function withoutNames(policy: unknown): unknown {
  return JSON.parse(
    JSON.stringify(policy, (key, value: unknown) => (key === 'Sid' || key === 'Id' ? undefined : value)),
  );
}

function withoutMetadata(answer: object): object {
  return Object.fromEntries(Object.entries(answer).filter(([key]) => key !== '$metadata'));
}
