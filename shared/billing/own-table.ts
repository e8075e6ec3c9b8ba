import { shortHash, snakeCase } from '../aws/names.ts';

/** Of names in Glue and Athena, in characters. */
const longestName = 255;

/** Our own database of a report. No stack of AWS's template owns one with this prefix. */
export function ownDatabase(reportName: string): string {
  return shortened(`${ownDatabasePrefix}${snakeCase(reportName)}`, reportName);
}

export const ownDatabasePrefix = 'kubecostcur_';

export function ownTableName(reportName: string): string {
  return shortened(snakeCase(reportName), reportName);
}

function shortened(name: string, reportName: string): string {
  if (name.length <= longestName) return name;
  const end = `_${shortHash(reportName)}`;
  return `${name.slice(0, longestName - end.length)}${end}`;
}
