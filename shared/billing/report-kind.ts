import type { Partition } from '../model/steps-and-outputs.ts';

/** A billing month. The month is never zero padded, however AWS spells it in a key. */
export type BillingMonth = Partition;

/** Where AWS delivers a report. */
export interface ReportPlace {
  reportName: string;
  bucket: string;
  prefix: string;
  /** Name of the report's kind. @default the first kind of the registry */
  reportKind?: string;
}

export type ReportFolder = Pick<ReportPlace, 'prefix' | 'reportName'>;

/** What a key in the bucket is for the report. */
export type DeliveredKey =
  /** `monthText`: the month as the folder spells it. */
  | { is: 'data'; month: BillingMonth; monthText: string }
  /** `month` is undefined if only the manifest's content says it. */
  | { is: 'manifest'; month: BillingMonth | undefined }
  /** AWS's CloudFormation template, and the SQL that would create the table. */
  | { is: 'template' | 'create-table' };

/** A column as the manifest describes it. */
export interface ManifestColumn {
  category: string;
  name: string;
  type: string;
}

export interface Manifest {
  month: BillingMonth | undefined;
  dataKeys: string[];
  columns: ManifestColumn[];
}

/** A column of the table, with Glue's type. */
export interface Column {
  name: string;
  type: string;
}

/** Columns for a table, and what is special about them. */
export interface TableColumns {
  columns: Column[];
  warnings: string[];
}

/** First and last year of a table. */
export interface Years {
  first: number;
  last: number;
}

/**
 * One kind of report that AWS makes. Steps speak of the report and of a billing month only; this says what both mean for files, partitions,
 * table and query.
 */
export interface ReportKind {
  name: string;
  layout: {
    /** Folder of the data, without a slash at the end. */
    dataPath(folder: ReportFolder): string;
    /** Undefined for a key without meaning for us. */
    recognise(folder: ReportFolder, key: string): DeliveredKey | undefined;
    /** @throws if the text is no manifest */
    readManifest(text: string): Manifest;
  };
  partitions: {
    /** Partition columns, all of type string. */
    keys: readonly string[];
    /** The values of a month, in the order of the keys. */
    values(month: BillingMonth): string[];
    /** Parameters of Athena's partition projection. */
    projection(place: ReportPlace, years: Years): Record<string, string>;
    /** The years that such parameters cover; undefined if they do not say. */
    yearsOf(parameters: Record<string, string>): Years | undefined;
    /** The condition of a query for one month. */
    predicate(month: BillingMonth): string;
  };
  table: {
    /** Columns that the consumer's queries name; further ones are optional. */
    required: readonly Column[];
    /** The table's columns for those of a manifest. */
    columnsOf(columns: readonly ManifestColumn[]): TableColumns;
  };
}
