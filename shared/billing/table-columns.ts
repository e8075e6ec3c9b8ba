import type { TargetAccount } from '../aws/target-account.ts';
import { columnsOfCreateTable } from './create-table-sql.ts';
import { parseManifest, readDelivery, readObject } from './delivery.ts';
import type { ReportPlace, TableColumns } from './report-kind.ts';
import { reportKindOf } from './report-kinds.ts';

/** What a delivery says about its columns. */
export interface DeliveredColumns extends TableColumns {
  /** Key of the manifest or of AWS's SQL; undefined if neither says anything. */
  from: string | undefined;
  /** The first keys of the report's folder, if nothing says anything. */
  firstKeys: string[];
}

/** From the manifest if it lists columns, else from the SQL that AWS leaves beside the report. */
export async function readColumns(
  payer: TargetAccount,
  report: ReportPlace & { region: string },
  manifestKey: string | null,
): Promise<DeliveredColumns> {
  const text = manifestKey === null ? undefined : await readObject(payer, report, manifestKey);
  const manifest = text === undefined ? undefined : parseManifest(report, text);
  if (manifestKey !== null && manifest && manifest.columns.length > 0)
    return { ...reportKindOf(report).table.columnsOf(manifest.columns), from: manifestKey, firstKeys: [] };
  const { createTableKey, firstKeys } = await readDelivery(payer, report);
  const sql = createTableKey === undefined ? undefined : await readObject(payer, report, createTableKey);
  const columns = sql === undefined ? undefined : columnsOfCreateTable(sql);
  if (columns && columns.columns.length > 0) return { ...columns, from: createTableKey, firstKeys: [] };
  return { columns: [], warnings: [], from: undefined, firstKeys };
}
