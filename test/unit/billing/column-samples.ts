/** Facts from manifests and tables that we did not write. Only names and types were taken over, in an order of their own. */

/**
 * `category/name type` of a manifest with its column in the table. The names and types are those of a manifest in a public loader for the
 * database Exasol, of an account with resource ids, reservations and tags with two colons (`user:exa:department`).
 */
export const fromManifest: readonly [manifest: string, column: string, glueType: string][] = [
  ['identity/LineItemId String', 'identity_line_item_id', 'string'],
  ['identity/TimeInterval Interval', 'identity_time_interval', 'string'],
  ['bill/PayerAccountId String', 'bill_payer_account_id', 'string'],
  ['bill/BillingPeriodStartDate DateTime', 'bill_billing_period_start_date', 'timestamp'],
  ['lineItem/UsageStartDate DateTime', 'line_item_usage_start_date', 'timestamp'],
  ['lineItem/LineItemType String', 'line_item_line_item_type', 'string'],
  ['lineItem/LineItemDescription String', 'line_item_line_item_description', 'string'],
  ['lineItem/UsageAmount BigDecimal', 'line_item_usage_amount', 'double'],
  ['lineItem/NormalizationFactor OptionalBigDecimal', 'line_item_normalization_factor', 'double'],
  ['lineItem/UnblendedRate String', 'line_item_unblended_rate', 'string'],
  ['lineItem/UnblendedCost BigDecimal', 'line_item_unblended_cost', 'double'],
  ['product/ProductName String', 'product_product_name', 'string'],
  ['product/capacitystatus String', 'product_capacitystatus', 'string'],
  ['product/dedicatedEbsThroughput String', 'product_dedicated_ebs_throughput', 'string'],
  ['product/maxIopsvolume String', 'product_max_iopsvolume', 'string'],
  ['product/preInstalledSw String', 'product_pre_installed_sw', 'string'],
  ['pricing/publicOnDemandCost BigDecimal', 'pricing_public_on_demand_cost', 'double'],
  ['pricing/publicOnDemandRate String', 'pricing_public_on_demand_rate', 'string'],
  ['reservation/EndTime OptionalString', 'reservation_end_time', 'string'],
  ['reservation/UnitsPerReservation String', 'reservation_units_per_reservation', 'string'],
  ['reservation/UpfrontValue OptionalBigDecimal', 'reservation_upfront_value', 'double'],
  ['resourceTags/aws:createdBy String', 'resource_tags_aws_created_by', 'string'],
  ['resourceTags/user:exa:department String', 'resource_tags_user_exa_department', 'string'],
];

/** Columns of AWS's crawler in opencost/opencost-helm-chart#317, kubecost/kubecost#1657, with the names that the data dictionary gives them. */
export const fromCrawledTable: readonly [source: string, column: string, glueType: string][] = [
  ['splitLineItem/NetSplitCost', 'split_line_item_net_split_cost', 'double'],
  ['splitLineItem/PublicOnDemandUnusedCost', 'split_line_item_public_on_demand_unused_cost', 'double'],
  ['resourceTags/aws:eks:workload-name', 'resource_tags_aws_eks_workload_name', 'string'],
  ['resourceTags/user:CostCenter', 'resource_tags_user_cost_center', 'string'],
  ['costCategory/FinOps', 'cost_category_fin_ops', 'string'],
  ['savingsPlan/SavingsPlanARN', 'savings_plan_savings_plan_a_r_n', 'string'],
  ['savingsPlan/NetSavingsPlanEffectiveCost', 'savings_plan_net_savings_plan_effective_cost', 'double'],
  ['savingsPlan/SavingsPlanRate', 'savings_plan_savings_plan_rate', 'double'],
  ['reservation/ReservationARN', 'reservation_reservation_a_r_n', 'string'],
  ['product/marketoption', 'product_marketoption', 'string'],
];

/** The form of create-table.sql, and some of its columns, in llooker/aws_cost_and_usage#2 and superwerker/superwerker#30. */
export const createTableSql = `CREATE EXTERNAL TABLE cur_report(
\tidentity_line_item_id STRING,
\tbill_billing_period_end_date TIMESTAMP,
\tline_item_net_unblended_rate STRING,
\tline_item_net_unblended_cost DOUBLE,
\treservation_number_of_reservations STRING,
\tsavings_plan_total_commitment_to_date DOUBLE
)

PARTITIONED BY (
\tyear STRING,
\tmonth STRING
)

ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
WITH  SERDEPROPERTIES (
 'serialization.format' = '1'
) LOCATION 's3://[S3/Cost/And/Usage/Report/Folder]'`;

/** The form of SHOW CREATE TABLE in opencost/opencost-helm-chart#317. */
export const shownTable =
  "CREATE EXTERNAL TABLE `opencost_report`(\n  `identity_line_item_id` string, \n  `line_item_usage_amount` double, \n  `bill_billing_period_start_date` timestamp)\nPARTITIONED BY ( \n  `year` string, \n  `month` string)\nROW FORMAT SERDE \n  'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' ";
