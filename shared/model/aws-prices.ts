/**
 * List prices in USD, us-east-1, first tier, without free tiers, as the services' pricing pages had them:
 * Step Functions (Standard), Lambda, DynamoDB (on demand), Glue, S3 Standard, Athena.
 */
export const prices = {
  asOf: '2026-11',
  stateTransition: 0.025 / 1000,
  lambdaRequest: 0.2 / 1_000_000,
  /** arm64. */
  lambdaGbSecond: 0.0000133334,
  dynamoWriteUnit: 0.625 / 1_000_000,
  /** Per DPU-hour; a crawl is billed for at least ten minutes on two DPUs. */
  glueDpuHour: 0.44,
  glueCrawlHours: 10 / 60,
  glueCrawlDpus: 2,
  s3GbMonth: 0.023,
  athenaTbScanned: 5,
  /** Athena bills at least this number of bytes per query. */
  athenaMinimumBytes: 10_000_000,
} as const;

/** Assumed quantities. A reader can replace them with their own figures. */
export const assumptions = {
  lambdaMilliseconds: 400,
  lambdaGb: 0.5,
  /** A run record of several kB: each update costs its whole size, indexes included. */
  tableWriteUnits: 8,
  /** The size of a report depends on the customer. */
  reportGb: 10,
  /** AWS delivers at least once a day (CUR User Guide, "Creating reports"); each delivery is crawled. */
  crawlsPerMonth: 30,
  /** Kubecost queries the last three days every six hours. */
  queriesPerMonth: 30 * 4 * 2,
  scannedBytesPerQuery: 200_000_000,
} as const;
