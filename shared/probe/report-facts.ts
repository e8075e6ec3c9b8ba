import { DescribeReportDefinitionsCommand } from '@aws-sdk/client-cost-and-usage-report-service';
import * as z from 'zod';
import { CurClient } from '../billing/report-definition.ts';
import type { FactList } from './fact-list.ts';
import type { ProbedAccount } from './probed-account.ts';

const topic = 'Reports';

const Definition = z.looseObject({
  ReportName: z.string().default(''),
  S3Bucket: z.string().default(''),
  S3Prefix: z.string().default(''),
  S3Region: z.string().default(''),
});
export type ProbedReport = z.infer<typeof Definition>;

/** Every report as the API describes it, with fields that this release does not know. */
export async function readReports(account: ProbedAccount, facts: FactList): Promise<ProbedReport[]> {
  const client = account.client(CurClient, 'us-east-1');
  const reports: ProbedReport[] = [];
  const list = async () => {
    let token: string | undefined;
    do {
      const page = await client.send(new DescribeReportDefinitionsCommand(token ? { NextToken: token } : {}));
      reports.push(...(page.ReportDefinitions ?? []).map((definition) => Definition.parse(definition)));
      token = page.NextToken;
    } while (token);
    for (const { ReportName, S3Bucket, S3Prefix } of reports) {
      facts.redaction.name('report', ReportName);
      facts.redaction.name('bucket', S3Bucket);
      facts.redaction.name('prefix', S3Prefix);
    }
    return reports;
  };
  const answer = await facts.ask(topic, 'definitions', list);
  facts.add(
    topic,
    'is PutReportDefinition open',
    answer
      ? `unknown: no read tells. The API answers for this account, and ${reports.length} of 5 to 10 reports exist`
      : 'probably not: the API does not answer for this account',
  );
  return reports;
}
