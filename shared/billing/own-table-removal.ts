import type { GlueClient } from '@aws-sdk/client-glue';
import { ownership } from '../aws/tags.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import type { StepChange } from '../step/contract.ts';
import { keepAll, type RemovalDecision } from '../step/removal-decision.ts';
import { ownDatabase, ownTableName } from './own-table.ts';
import {
  databaseArn,
  deleteOwnDatabase,
  deleteOwnTable,
  otherTables,
  type OwnTablePlace,
  readOwnTable,
} from './own-table-store.ts';

export type OwnTableRemoval = StepChange & { action: 'delete-own-table' | 'delete-own-database' };

/** Of the table and the database that runs made without a crawler. */
export interface RemovableTable {
  /** Undefined if there is no database under our name. */
  database: Ownership | undefined;
  table: Ownership | undefined;
  /** Other tables and views in the database. */
  others: string[];
}

export async function readRemovableTable(
  glue: GlueClient,
  place: OwnTablePlace,
  owner: Owner,
): Promise<RemovableTable> {
  const { database, table } = await readOwnTable(glue, place, owner);
  const others = database ? await otherTables(glue, place.reportName) : [];
  return { database, table: table && ownership(table.parameters, owner), others };
}

/** @param shared why other targets still need the table */
export function decideTableRemoval(
  { database, table, others }: RemovableTable,
  place: OwnTablePlace,
  shared: readonly string[],
): RemovalDecision<OwnTableRemoval> {
  const arn = databaseArn(place.accountId, place.region, place.reportName);
  if (database === undefined || database === 'foreign') return { changes: [], kept: [] };
  if (database === 'other-deployment') return keepAll([arn], ['it belongs to another deployment']);
  if (shared.length > 0) return keepAll([arn], shared);
  const name = `${ownDatabase(place.reportName)}.${ownTableName(place.reportName)}`;
  const foreign = [...others, ...(table !== undefined && table !== 'ours' ? [name] : [])];
  const changes: OwnTableRemoval[] = [
    ...(table === 'ours' ? [{ action: 'delete-own-table', resource: name } as const] : []),
    ...(foreign.length === 0 ? [{ action: 'delete-own-database', resource: arn } as const] : []),
  ];
  const kept = foreign.map((one) => ({ resource: arn, why: `it holds ${one}, which is not ours` }));
  return { changes, kept };
}

export async function removeOwnTable(glue: GlueClient, place: OwnTablePlace, change: OwnTableRemoval): Promise<void> {
  if (change.action === 'delete-own-table') await deleteOwnTable(glue, place.reportName);
  else await deleteOwnDatabase(glue, place.reportName);
}
