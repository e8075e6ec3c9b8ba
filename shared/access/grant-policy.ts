/**
 * The pod role's policies as data: they allow it to assume its payers' roles. One policy has room for some 110 roles, so a target may have
 * several policies, its shards.
 */
import { maxPolicyCharacters } from '../aws/managed-policy.ts';
import { payerRoleName } from '../aws/names.ts';
import {
  listOf,
  mergeStatements,
  policyCharacters,
  type PolicyDocument,
  type Statement,
} from '../aws/policy-document.ts';
import { roleArnOf } from '../aws/role.ts';
import { assumeActions } from './pod-trust.ts';

const grantSid = 'KubecostPayerRoles';

export function payerRolesGrant(payerRoleArns: readonly string[]): Statement {
  return { Sid: grantSid, Effect: 'Allow', Action: [...assumeActions], Resource: [...payerRoleArns].sort() };
}

/** Policies a role may have attached, ours and others' (IAM quota "Managed policies attached to an IAM role"). */
export const maxAttachedPolicies = 10;

/** @param firstArn of shard 1, whose name has no number */
export function shardArn(firstArn: string, shard: number): string {
  return shard === 1 ? firstArn : `${firstArn}-${shard}`;
}

/** Each shard's document by its number, from 1. A shard without a document has to be deleted. */
export type Shards<Document = PolicyDocument> = ReadonlyMap<number, Document>;

export interface Packed {
  shards: Shards<PolicyDocument | undefined>;
  /** Payer roles that did not fit. */
  left: string[];
}

export interface Packing {
  /** In order of priority. */
  wanted: readonly string[];
  removed: readonly string[];
  /** Shards the role may have. */
  most: number;
}

/** The payer roles that our statement names. */
export function payerRolesOf(document: PolicyDocument): string[] {
  return listOf(document.Statement.find(({ Sid }) => Sid === grantSid)?.Resource);
}

/** True if the policy has no statement but ours. */
export function holdsOnlyGrant(document: PolicyDocument): boolean {
  return withoutRoles(document) === undefined;
}

/** Characters of one more role in a list, its comma included. */
const charactersOf = (roleArn: string) => JSON.stringify(roleArn).length + 1;

function withRoles(document: PolicyDocument | undefined, roles: readonly string[]): PolicyDocument {
  return mergeStatements(document, [payerRolesGrant(roles)]);
}

/** Other statements stay. Undefined if there are none: IAM refuses an empty policy. */
function withoutRoles(document: PolicyDocument): PolicyDocument | undefined {
  const others = document.Statement.filter(({ Sid }) => Sid !== grantSid);
  return others.length > 0 ? { ...document, Statement: others } : undefined;
}

/**
 * Leaves every role in its shard, takes out the removed ones, and puts a new role into the first shard with room for it. So a new payer
 * changes only one policy.
 */
export function packShards(there: Shards, { wanted, removed, most }: Packing): Packed {
  const gone = new Set(removed);
  const roles = new Map(
    [...there].map(([shard, document]) => [shard, payerRolesOf(document).filter((arn) => !gone.has(arn))]),
  );
  const room = new Map([...roles].map(([shard, arns]) => [shard, roomBeside(there.get(shard), arns)]));
  const placed = new Set([...roles.values()].flat());
  const left: string[] = [];
  for (const arn of new Set(wanted)) {
    if (placed.has(arn)) continue;
    const shard = firstWithRoom(room, charactersOf(arn), most);
    if (shard === undefined) {
      left.push(arn);
      continue;
    }
    roles.set(shard, [...(roles.get(shard) ?? []), arn]);
    room.set(shard, (room.get(shard) ?? emptyShardRoom) - charactersOf(arn));
  }
  const shards = new Map<number, PolicyDocument | undefined>();
  for (const [shard, arns] of [...roles].sort(([a], [b]) => a - b)) {
    const document = there.get(shard);
    shards.set(shard, arns.length > 0 ? withRoles(document, arns) : document && withoutRoles(document));
  }
  return { shards, left };
}

/** The first role of a list needs no comma, so an empty one has room for one character more. */
function roomBeside(document: PolicyDocument | undefined, roles: readonly string[]): number {
  const commaSaved = roles.length === 0 ? 1 : 0;
  return maxPolicyCharacters - policyCharacters(withRoles(document, roles)) + commaSaved;
}

const emptyShardRoom = roomBeside(undefined, []);

/** The lowest number that has room or is not used yet. */
function firstWithRoom(room: ReadonlyMap<number, number>, characters: number, most: number): number | undefined {
  for (let shard = 1; shard <= maxAttachedPolicies; shard++) {
    const left = room.get(shard) ?? (room.size < most ? emptyShardRoom : 0);
    if (left >= characters) return shard;
  }
  return undefined;
}

/** Payers that fit into one target's shards, if their roles have our name and no path: 1,130. */
export const maxPayersPerTarget =
  maxAttachedPolicies * Math.floor(emptyShardRoom / charactersOf(roleArnOf('0'.repeat(12), payerRoleName)));
