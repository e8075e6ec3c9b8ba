import * as z from 'zod';
import { putItem, readItems } from '../table/document-table.ts';

const prefix = 'purged-report#';

export const PurgedReportItem = z
  .looseObject({ sk: z.string().startsWith(prefix) })
  .transform(({ sk }) => sk.slice(prefix.length));

const partition = (payerAccountId: string) => `payer#${payerAccountId}`;

/** Names of reports that were purged: AWS warns against a new overwrite report under one of them (CUR User Guide, "Edit"). */
export function listPurgedReports(payerAccountId: string): Promise<string[]> {
  const query = { partition: { key: 'pk', value: partition(payerAccountId) }, sort: { key: 'sk', beginsWith: prefix } };
  return readItems(query, PurgedReportItem);
}

export async function markReportPurged(payerAccountId: string, reportName: string): Promise<void> {
  await putItem({ pk: partition(payerAccountId), sk: `${prefix}${reportName}` }, {});
}
