import type { ReportKind } from '../report-kind.ts';
import { columnsOf, requiredColumns } from './columns.ts';
import { dataPath, readManifest, recognise } from './layout.ts';

/** The Cost and Usage Report of 2015, made for Athena: one folder and one partition for each month, one column for each tag. */
export const legacyCur: ReportKind = {
  name: 'legacy-cur',
  layout: { dataPath, recognise, readManifest },
  partitions: {
    keys: ['year', 'month'],
    values: ({ year, month }) => [year, month],
    // Without `digits`, Athena projects months as AWS and the consumers spell them: without a leading zero.
    projection: (place, years) => ({
      'projection.year.type': 'integer',
      'projection.year.range': `${years.first},${years.last}`,
      'projection.month.type': 'integer',
      'projection.month.range': '1,12',
      'storage.location.template': `s3://${place.bucket}/${dataPath(place)}/year=\${year}/month=\${month}/`,
    }),
    yearsOf(parameters) {
      const [first = NaN, last = NaN] = parameters['projection.year.range']?.split(',').map(Number) ?? [];
      return Number.isInteger(first) && Number.isInteger(last) ? { first, last } : undefined;
    },
    predicate: ({ year, month }) => `(year = '${year}' AND month = '${month}')`,
  },
  table: { required: requiredColumns, columnsOf },
};
