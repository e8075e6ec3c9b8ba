import {
  GetCrawlerCommand,
  GetDatabasesCommand,
  GetPartitionsCommand,
  GetTablesCommand,
  GlueClient,
} from '@aws-sdk/client-glue';
import { crawlerName } from '../billing/report-location.ts';
import type { FactList } from './fact-list.ts';
import type { ProbedAccount } from './probed-account.ts';
import type { ProbedReport } from './report-facts.ts';

/** The crawler that AWS's template makes for the report, and every table on the report's folder. */
export async function readTableFacts(account: ProbedAccount, report: ProbedReport, facts: FactList): Promise<void> {
  const { ReportName, S3Bucket, S3Prefix, S3Region: region } = report;
  const topic = `Tables of report ${ReportName}`;
  const glue = account.client(GlueClient, region || 'us-east-1');
  await facts.ask(
    topic,
    'crawler with AWS’s name',
    () => glue.send(new GetCrawlerCommand({ Name: crawlerName(ReportName) })),
    ({ Crawler }) => {
      facts.redaction.name('database', Crawler?.DatabaseName);
      const { Targets, SchemaChangePolicy, RecrawlPolicy, Configuration, Schedule, State, LastCrawl } = Crawler ?? {};
      return {
        Targets,
        SchemaChangePolicy,
        RecrawlPolicy,
        Configuration,
        Schedule,
        State,
        lastCrawl: LastCrawl?.Status,
      };
    },
  );
  const folder = `s3://${S3Bucket}/${[S3Prefix, ReportName].filter((part) => part !== '').join('/')}`;
  const found = await facts.ask(
    topic,
    'tables',
    () => tablesBelow(glue, folder),
    (tables) => tables.length,
  );
  for (const { DatabaseName, Name: TableName, ...table } of found ?? []) {
    facts.redaction.name('database', DatabaseName);
    facts.redaction.name('table', TableName);
    const { Parameters = {}, PartitionKeys, StorageDescriptor: storage, TableType, CreateTime } = table;
    facts.add(topic, `table ${DatabaseName ?? ''}.${TableName ?? ''}`, {
      location: storage?.Location,
      TableType,
      CreateTime,
      PartitionKeys,
      parameters: Object.fromEntries(Object.entries(Parameters).filter(([key]) => telling.test(key))),
      otherParameters: Object.keys(Parameters).filter((key) => !telling.test(key)),
      columns: storage?.Columns?.length,
      types: [...new Set(storage?.Columns?.map(({ Type }) => Type))],
    });
    await facts.ask(
      topic,
      `partitions of ${DatabaseName ?? ''}.${TableName ?? ''}`,
      () =>
        glue.send(new GetPartitionsCommand({ DatabaseName, TableName, MaxResults: 200, ExcludeColumnSchema: true })),
      ({ Partitions = [] }) => Partitions.map(({ Values = [] }) => Values.join('-')).toSorted(),
    );
  }
}

/** Parameters of AWS and of Athena; an owner may have others, with names of their own. */
const telling =
  /^(projection\.|storage\.|classification|compressionType|typeOfData|EXTERNAL|partition_filtering|transient|CrawlerSchema)/i;

async function tablesBelow(glue: GlueClient, folder: string) {
  const tables = [];
  for await (const DatabaseName of databases(glue)) {
    let token: string | undefined;
    do {
      const page = await glue.send(new GetTablesCommand({ DatabaseName, NextToken: token }));
      tables.push(...(page.TableList ?? []));
      token = page.NextToken;
    } while (token);
  }
  return tables.filter(({ StorageDescriptor: storage }) => storage?.Location?.startsWith(folder));
}

async function* databases(glue: GlueClient): AsyncGenerator<string> {
  let token: string | undefined;
  do {
    const page = await glue.send(new GetDatabasesCommand({ NextToken: token }));
    for (const { Name = '' } of page.DatabaseList ?? []) yield Name;
    token = page.NextToken;
  } while (token);
}
