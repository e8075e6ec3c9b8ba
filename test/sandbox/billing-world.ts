import { VirtualClock } from './clock.ts';
import type { Caller, Service } from './service.ts';
import { AthenaState } from './services/athena.ts';
import { CloudFormationState } from './services/cloudformation.ts';
import { CurState } from './services/cur.ts';
import { GlueState } from './services/glue.ts';
import { IamState } from './services/iam.ts';
import { S3State } from './services/s3.ts';
import type { World } from './world.ts';

export const payer = '111122223333';

export function billingWorld(start = '2026-11-10T08:00:00Z'): World {
  const world = {
    clock: new VirtualClock(Date.parse(start)),
    calls: [],
    faults: [],
    lakeformation: { isLocked: () => false },
    lambda: { reserve: () => undefined, release: () => undefined },
  } as unknown as World;
  world.iam = new IamState(world);
  world.s3 = new S3State(world);
  world.cur = new CurState(world);
  world.cloudformation = new CloudFormationState(world);
  world.glue = new GlueState(world);
  world.athena = new AthenaState(world);
  return world;
}

interface As {
  accountId?: string;
  region?: string;
  /** @default the account's root */
  caller?: Caller;
}

/** Calls an operation past wire and server. */
export async function ask<Answer = Record<string, never>>(
  world: World,
  service: Service,
  name: string,
  input: object,
  { accountId = payer, region = 'eu-central-1', caller }: As = {},
): Promise<Answer> {
  const root = { accountId, arn: `arn:aws:iam::${accountId}:root` };
  const cx = { world, caller: caller ?? root, region, now: world.clock.now() };
  return (await service.operations[name]?.run(input as never, cx)) as Answer;
}

/** A session of a role that may do just this, and has been there for long. */
export function sessionOf(
  world: World,
  name: string,
  ...allowed: [action: string | string[], resource: string | string[]][]
): Caller {
  const { arn: roleArn } = world.iam.createRole({
    accountId: payer,
    name,
    trust: trust('lambda.amazonaws.com'),
    inline: {
      rights: {
        Version: '2012-10-17',
        Statement: allowed.map(([Action, Resource]) => ({ Effect: 'Allow', Action, Resource })),
      },
    },
    settled: true,
  });
  return { accountId: payer, arn: `arn:aws:sts::${payer}:assumed-role/${name}/test`, roleArn };
}

export function trust(Service: string) {
  const Statement = { Effect: 'Allow', Principal: { Service }, Action: 'sts:AssumeRole' };
  return { Version: '2012-10-17', Statement };
}
