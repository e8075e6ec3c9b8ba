import { VirtualClock } from './clock.ts';
import type { Service } from './service.ts';
import { AthenaState } from './services/athena.ts';
import { CloudFormationState } from './services/cloudformation.ts';
import { CurState } from './services/cur.ts';
import { GlueState } from './services/glue.ts';
import { S3State } from './services/s3.ts';
import type { World } from './world.ts';

export const payer = '111122223333';

export function billingWorld(start = '2026-11-10T08:00:00Z'): World {
  const world = {
    clock: new VirtualClock(Date.parse(start)),
    calls: [],
    faults: [],
    iam: { evaluate: () => ({ allowed: true }), trusts: () => true },
    lakeformation: { isLocked: () => false },
    lambda: { reserve: () => undefined, release: () => undefined },
  } as unknown as World;
  world.s3 = new S3State(world);
  world.cur = new CurState(world);
  world.cloudformation = new CloudFormationState(world);
  world.glue = new GlueState(world);
  world.athena = new AthenaState(world);
  return world;
}

/** Calls an operation as the root of an account, past wire and IAM. */
export async function ask<Answer = Record<string, never>>(
  world: World,
  service: Service,
  name: string,
  input: object,
  { accountId = payer, region = 'eu-central-1', now = world.clock.now() } = {},
): Promise<Answer> {
  const caller = { accountId, arn: `arn:aws:iam::${accountId}:root` };
  return (await service.operations[name]?.run(input as never, { world, caller, region, now })) as Answer;
}
