/** The bill's columns and rows, seeded by the account so that every run of a test reads the same bill. */

export interface Column {
  /** As in the manifest: `lineItem` / `UsageStartDate`. */
  category: string;
  label: string;
  /** As in the table: `line_item_usage_start_date`. */
  name: string;
  /** Of the Parquet column, as Glue calls it. */
  type: 'string' | 'double' | 'timestamp';
  /** As in the manifest: `OptionalBigDecimal`. */
  manifestType: string;
}

/** What the bill of an account has beside the usual. */
export interface Bill {
  /** Cost allocation tags such as `user:Team`; a month has their columns from the month of `since` on. */
  tags?: { key: string; since?: number }[];
  /** Days without usage, such as `2026-11-23`. */
  quietDays?: string[];
  /** Months for which AWS writes a manifest that names no file, such as `2026-12`. */
  emptyMonths?: string[];
}

export type Value = string | number | null;

const always = [
  'identity/LineItemId',
  'identity/TimeInterval',
  'bill/InvoiceId',
  'bill/BillingEntity',
  'bill/BillType',
  'bill/PayerAccountId',
  'bill/BillingPeriodStartDate timestamp',
  'bill/BillingPeriodEndDate timestamp',
  'lineItem/UsageAccountId',
  'lineItem/LineItemType',
  'lineItem/UsageStartDate timestamp',
  'lineItem/UsageEndDate timestamp',
  'lineItem/ProductCode',
  'lineItem/UsageType',
  'lineItem/Operation',
  'lineItem/AvailabilityZone',
  'lineItem/ResourceId',
  'lineItem/UsageAmount double',
  'lineItem/CurrencyCode',
  'lineItem/UnblendedRate',
  'lineItem/UnblendedCost double',
  'lineItem/BlendedRate',
  'lineItem/BlendedCost double',
  'lineItem/LineItemDescription',
  'lineItem/LegalEntity',
  'product/ProductName',
  'product/regionCode',
  'product/instanceType',
  'product/servicecode',
  'pricing/term',
  'pricing/unit',
  'pricing/publicOnDemandCost double',
  'resourceTags/aws:eks:cluster-name',
  'resourceTags/user:team',
];
/** The schema is dynamic: these columns exist only if the account uses savings plans, reservations or a discount. */
const withCommitments = [
  'lineItem/NetUnblendedCost double',
  'reservation/EffectiveCost double',
  'reservation/NetEffectiveCost double',
  'savingsPlan/SavingsPlanEffectiveCost double',
  'savingsPlan/NetSavingsPlanEffectiveCost double',
];

function hasCommitments(accountId: string): boolean {
  return seeded(accountId, 'commitments') < 0.5;
}

/** Columns of the manifest. Two tag keys may give one name; AWS merges such columns in the data. */
export function columnsOf(
  accountId: string,
  schemaElements: readonly string[],
  tags: readonly string[] = [],
): Column[] {
  return [...always, ...tags.map((key) => `resourceTags/${key}`), ...(hasCommitments(accountId) ? withCommitments : [])]
    .filter((source) => source !== 'lineItem/ResourceId' || schemaElements.includes('RESOURCES'))
    .map((source) => {
      const [, path = '', type = 'string'] = /^(.*?)(?: (double|timestamp))?$/.exec(source) ?? [];
      const category = path.slice(0, path.indexOf('/'));
      const label = path.slice(category.length + 1);
      return {
        category,
        label,
        name: columnName(path),
        type: type as Column['type'],
        manifestType: manifestType(category, label, type as Column['type']),
      };
    });
}

/** As in manifests of several accounts; amounts that not every line has are optional. */
function manifestType(category: string, label: string, type: Column['type']): string {
  if (type === 'timestamp') return 'DateTime';
  if (type === 'double')
    return ['lineItem', 'pricing'].includes(category) && !label.startsWith('Net') ? 'BigDecimal' : 'OptionalBigDecimal';
  if (label === 'TimeInterval') return 'Interval';
  return category === 'resourceTags' ? 'OptionalString' : 'String';
}

const longestColumnName = 255;

/** Source: CUR User Guide, "Column names": of names that are too long, underscores are removed from left to right. */
function columnName(path: string): string {
  let name = snakeCase(path);
  while (name.length > longestColumnName && name.includes('_')) name = name.replace('_', '');
  return name.slice(0, longestColumnName);
}

/** AWS's rule for columns, and for the database: `_` before each capital, all else that is no letter or digit becomes `_`. */
export function snakeCase(name: string): string {
  return name
    .replace(/[A-Z]/g, '_$&')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
}

/** Usage of one day: two instances of a cluster, a volume, an address and some traffic. */
export function rowsOfDay(accountId: string, dayMs: number, columns: readonly Column[]): Value[][] {
  const day = sqlTime(dayMs);
  const nextDay = sqlTime(dayMs + 86_400_000);
  const interval = `${iso(dayMs)}/${iso(dayMs + 86_400_000)}`;
  const month = new Date(dayMs);
  const [periodStart, periodEnd] = [0, 1].map((ahead) =>
    sqlTime(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + ahead, 1)),
  ) as [string, string];
  const usages = [
    ['AmazonEC2', 'EUC1-BoxUsage:m6i.large', `i-0${hex(accountId, 'a')}`, 'RunInstances', 'Usage'],
    ['AmazonEC2', 'EUC1-BoxUsage:m6i.large', `i-0${hex(accountId, 'b')}`, 'RunInstances', 'SavingsPlanCoveredUsage'],
    ['AmazonEC2', 'EUC1-EBS:VolumeUsage.gp3', `vol-0${hex(accountId, 'c')}`, 'CreateVolume-Gp3', 'Usage'],
    ['AmazonVPC', 'EUC1-PublicIPv4:InUseAddress', `eipalloc-0${hex(accountId, 'd')}`, 'AllocateAddressVPC', 'Usage'],
    ['AmazonEKS', 'EUC1-AmazonEKS-Hours:perCluster', clusterArn(accountId), 'CreateOperation', 'Usage'],
  ] as const;
  return usages.map(([product, usageType, resourceId, operation, lineItemType], index) => {
    const cost = Math.round(seeded(accountId, `${day}${usageType}${index}`) * 400) / 100;
    const inCluster = product === 'AmazonEC2' ? 'finops' : '';
    const values: Record<string, Value> = {
      identity_line_item_id: hex(accountId, `${day}${index}`),
      identity_time_interval: interval,
      bill_billing_entity: 'AWS',
      bill_bill_type: 'Anniversary',
      bill_payer_account_id: accountId,
      bill_billing_period_start_date: periodStart,
      bill_billing_period_end_date: periodEnd,
      line_item_usage_account_id: index % 2 ? linkedAccount(accountId) : accountId,
      line_item_line_item_type: hasCommitments(accountId) ? lineItemType : 'Usage',
      line_item_usage_start_date: day,
      line_item_usage_end_date: nextDay,
      line_item_product_code: product,
      line_item_usage_type: usageType,
      line_item_operation: operation,
      line_item_availability_zone: product === 'AmazonEKS' ? '' : 'eu-central-1a',
      line_item_resource_id: resourceId,
      line_item_usage_amount: 24,
      line_item_currency_code: 'USD',
      line_item_unblended_rate: (cost / 24).toFixed(6),
      line_item_unblended_cost: cost,
      line_item_blended_rate: (cost / 24).toFixed(6),
      line_item_blended_cost: cost,
      line_item_line_item_description: `${usageType} in EU (Frankfurt)`,
      line_item_legal_entity: 'Amazon Web Services EMEA SARL',
      line_item_net_unblended_cost: round(cost * 0.93),
      product_product_name: product,
      product_region_code: 'eu-central-1',
      product_instance_type: usageType.split('BoxUsage:')[1] ?? '',
      product_servicecode: product,
      pricing_term: 'OnDemand',
      pricing_unit: 'Hrs',
      pricing_public_on_demand_cost: cost,
      resource_tags_aws_eks_cluster_name: inCluster,
      resource_tags_user_team: index % 2 ? 'platform' : '',
      savings_plan_savings_plan_effective_cost: round(cost * 0.7),
      savings_plan_net_savings_plan_effective_cost: round(cost * 0.65),
      reservation_effective_cost: 0,
      reservation_net_effective_cost: 0,
    };
    return columns.map(({ category, name }) => values[name] ?? (category === 'resourceTags' ? `value-${index}` : null));
  });
}

export interface DataFile {
  columns: { name: string; type: string }[];
  rows: Value[][];
}

/** Only this sandbox reads the data files, so they contain JSON under a Parquet name. */
export function encodeDataFile({ columns, rows }: DataFile): string {
  return JSON.stringify({ columns: columns.map(({ name, type }) => ({ name, type })), rows });
}

export function decodeDataFile(body: Buffer): DataFile {
  return JSON.parse(body.toString()) as DataFile;
}

function sqlTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

function iso(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function round(amount: number): number {
  return Math.round(amount * 1e4) / 1e4;
}

function clusterArn(accountId: string): string {
  return `arn:aws:eks:eu-central-1:${accountId}:cluster/finops`;
}

function linkedAccount(accountId: string): string {
  return accountId.split('').reverse().join('');
}

function hex(...parts: string[]): string {
  return hash(parts.join('|')).toString(16).padStart(8, '0').repeat(2);
}

/** 0 to 1. */
function seeded(...parts: string[]): number {
  return hash(parts.join('|')) / 2 ** 32;
}

/** FNV-1a with a final mix, so that similar inputs do not give similar costs. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}
