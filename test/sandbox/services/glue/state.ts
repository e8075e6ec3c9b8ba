import type * as sdk from '@aws-sdk/client-glue';
import { AwsError, type CallContext } from '../../service.ts';
import type { World } from '../../world.ts';
import { tableFromFolder } from './crawl.ts';

export interface Table {
  input: sdk.TableInput & { Name: string };
  createdAt: number;
  updatedAt: number;
  /** By values, joined with `/`: `2026/11`. */
  partitions: Map<string, sdk.Partition>;
}

export interface Database {
  input: sdk.DatabaseInput & { Name: string };
  createdAt: number;
  tables: Map<string, Table>;
}

export interface Crawler {
  name: string;
  /** Account and region. */
  accountId: string;
  region: string;
  settings: sdk.CreateCrawlerRequest;
  state: sdk.CrawlerState;
  createdAt: number;
  updatedAt: number;
  startedAt?: number;
  lastCrawl?: sdk.LastCrawlInfo;
  lastRuntimeSeconds: number;
  created: number;
  updated: number;
  deleted: number;
  unschedule: () => void;
}

/** Glue's state for one account in one region. */
export interface Catalog {
  accountId: string;
  region: string;
  databases: Map<string, Database>;
  crawlers: Map<string, Crawler>;
  tags: Map<string, Record<string, string>>;
  encryption: sdk.EncryptionAtRest;
}

interface SeedTable {
  accountId: string;
  region: string;
  database: string;
  /** Folder with data, `s3://bucket/prefix/report/report/`: columns and partitions are read from it like a crawl. */
  location: string;
  /** @default the folder's name, as after a crawl */
  table?: string;
}

export class GlueState {
  readonly #catalogs = new Map<string, Catalog>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  catalog(accountId: string, region: string): Catalog {
    const id = `${accountId}/${region}`;
    const catalog = this.#catalogs.get(id) ?? {
      accountId,
      region,
      databases: new Map(),
      crawlers: new Map(),
      tags: new Map(),
      encryption: { CatalogEncryptionMode: 'DISABLED' as const },
    };
    this.#catalogs.set(id, catalog);
    return catalog;
  }

  /** A table that exists from the start. */
  seedTable({ accountId, region, database, location, table }: SeedTable): Table {
    const catalog = this.catalog(accountId, region);
    const now = this.#world.clock.now();
    const home = catalog.databases.get(database) ?? { input: { Name: database }, createdAt: now, tables: new Map() };
    catalog.databases.set(database, home);
    const crawled = tableFromFolder(this.#world, location, table);
    if (!crawled) throw new Error(`${location} holds no data`);
    home.tables.set(crawled.input.Name, crawled);
    return crawled;
  }
}

/** Glue API Reference: every name has 1 to 255 characters; the services check that before anything else. */
export function checkName(name: string): void {
  if (name.length > 255)
    throw new AwsError(
      'ValidationException',
      `1 validation error detected: Value '${name}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 255`,
    );
}

/** Names in the catalog are in lower case. */
export function findDatabase({ world, caller, region }: CallContext, name = ''): Database {
  checkName(name);
  const database = world.glue.catalog(caller.accountId, region).databases.get(name.toLowerCase());
  if (!database) throw new AwsError('EntityNotFoundException', `Database ${name} not found.`);
  return database;
}

export function findTable(cx: CallContext, databaseName = '', name = ''): Table {
  checkName(name);
  const table = findDatabase(cx, databaseName).tables.get(name.toLowerCase());
  if (!table) throw new AwsError('EntityNotFoundException', `Table ${name} not found.`);
  return table;
}

export function glueArn({ caller, region }: CallContext, resource: string): string {
  return `arn:aws:glue:${region}:${caller.accountId}:${resource}`;
}
