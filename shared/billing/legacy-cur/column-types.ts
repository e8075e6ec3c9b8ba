/**
 * Types of a manifest, in lower case, with the Glue type that reads what AWS writes to Parquet for them. Amounts are DOUBLE in the Parquet
 * files, although the manifest calls them BigDecimal; times are timestamps. Sources: create-table.sql as AWS writes it, in
 * llooker/aws_cost_and_usage#2 and superwerker/superwerker#30; the table of AWS's crawler in opencost/opencost-helm-chart#317.
 */
const ofManifest: Readonly<Record<string, string>> = {
  string: 'string',
  optionalstring: 'string',
  interval: 'string',
  optionalinterval: 'string',
  bigdecimal: 'double',
  optionalbigdecimal: 'double',
  decimal: 'double',
  optionaldecimal: 'double',
  double: 'double',
  optionaldouble: 'double',
  datetime: 'timestamp',
  optionaldatetime: 'timestamp',
  timestamp: 'timestamp',
  boolean: 'boolean',
  optionalboolean: 'boolean',
  integer: 'bigint',
  int: 'bigint',
  long: 'bigint',
  bigint: 'bigint',
};

/** Undefined for a type that we do not know. */
export function glueTypeOf(manifestType: string): string | undefined {
  const type = manifestType.trim().toLowerCase();
  return /^decimal\(\d+,\s*\d+\)$/.test(type) ? type : ofManifest[type];
}
