import type * as sdk from '@aws-sdk/client-athena';
import { AwsError, type CallContext, type Permission } from '../../service.ts';
import type { World } from '../../world.ts';
import type { Answer } from './query.ts';

export interface Workgroup {
  name: string;
  description: string;
  configuration: sdk.WorkGroupConfiguration;
  tags: sdk.Tag[];
  createdAt: number;
}

export interface Query {
  id: string;
  input: sdk.StartQueryExecutionCommandInput;
  /** Caller, account and region: the query runs with the caller's permissions. */
  cx: CallContext;
  workgroup: string;
  submittedAt: number;
  duration: number;
  outputLocation?: string;
  outcome?: { state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED'; at: number; reason?: string; answer?: Answer };
  stop?: () => void;
}

interface SeedWorkgroup {
  accountId: string;
  region: string;
  name: string;
  configuration: sdk.WorkGroupConfiguration;
  tags?: Record<string, string>;
}

export class AthenaState {
  readonly queries = new Map<string, Query>();
  readonly #workgroups = new Map<string, Map<string, Workgroup>>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** `primary` exists in every account and region, and has no output location until one is set. */
  workgroups(accountId: string, region: string): Map<string, Workgroup> {
    const id = `${accountId}/${region}`;
    const primary = { name: 'primary', description: '', configuration: {}, tags: [], createdAt: 0 };
    const workgroups = this.#workgroups.get(id) ?? new Map<string, Workgroup>([['primary', primary]]);
    this.#workgroups.set(id, workgroups);
    return workgroups;
  }

  queriesOf(accountId: string, region: string): Query[] {
    return [...this.queries.values()].filter(({ cx }) => cx.caller.accountId === accountId && cx.region === region);
  }

  /** Creates or replaces a workgroup: `name: 'primary'` sets the configuration of that workgroup as another owner might have. */
  seedWorkgroup({ accountId, region, name, configuration, tags = {} }: SeedWorkgroup): void {
    this.workgroups(accountId, region).set(name, {
      name,
      description: '',
      configuration,
      tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
      createdAt: this.#world.clock.now(),
    });
  }
}

export function invalidRequest(message: string): AwsError {
  return new AwsError('InvalidRequestException', message);
}

export function onWorkgroup({ world, caller, region }: CallContext, action: string, name = ''): Permission {
  const tags = world.athena.workgroups(caller.accountId, region).get(name)?.tags ?? [];
  return {
    action: `athena:${action}`,
    resources: [`arn:aws:athena:${region}:${caller.accountId}:workgroup/${name}`],
    context: Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [`aws:ResourceTag/${Key}`, Value])),
  };
}

export function findWorkgroup({ world, caller, region }: CallContext, name = ''): Workgroup {
  const workgroup = world.athena.workgroups(caller.accountId, region).get(name);
  if (!workgroup) throw invalidRequest('WorkGroup is not found.');
  return workgroup;
}
