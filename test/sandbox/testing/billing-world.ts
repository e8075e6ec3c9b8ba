import { VirtualClock } from '../clock.ts';
import type { Caller, Service } from '../service.ts';
import { AthenaState } from '../services/athena/state.ts';
import { CloudFormationState } from '../services/cloudformation/service.ts';
import { CurState } from '../services/cur/service.ts';
import { GlueState } from '../services/glue/state.ts';
import { IamState } from '../services/iam/state.ts';
import { KmsState } from '../services/kms/state.ts';
import { LakeFormationState } from '../services/lakeformation.ts';
import { LambdaState } from '../services/lambda.ts';
import { OrganizationsState } from '../services/organizations.ts';
import { S3State } from '../services/s3/state.ts';
import { StsState } from '../services/sts/state.ts';
import type { World } from '../world.ts';

export const payer = '111122223333';

export function billingWorld(start = '2026-11-10T08:00:00Z'): World {
  const world = {
    clock: new VirtualClock(Date.parse(start)),
    calls: [],
    faults: [],
  } as unknown as World;
  world.iam = new IamState(world);
  world.sts = new StsState(world);
  world.kms = new KmsState(world);
  world.lambda = new LambdaState();
  world.organizations = new OrganizationsState();
  world.lakeformation = new LakeFormationState();
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

/** Calls an operation without server and codec. */
export async function ask<Answer = Record<string, never>>(
  world: World,
  service: Service,
  name: string,
  input: object,
  { accountId = payer, region = 'eu-central-1', caller }: As = {},
): Promise<Answer> {
  const root = { accountId, arn: `arn:aws:iam::${accountId}:root` };
  const cx = { world, caller: caller ?? root, region, now: world.clock.now() };
  const operation = service.operations[name];
  if (!operation) throw new Error(`the sandbox’s ${service.signingName} has no operation ${name}`);
  return (await operation.run(input as never, cx)) as Answer;
}

/** A session of a settled role with only these permissions. */
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

/** The bucket policy that the billing service needs; `sourceArn` has a literal `*` as in AWS's example. */
export function billingPolicy(
  bucket: string,
  sourceArn = `arn:aws:cur:us-east-1:${payer}:definition/*`,
  operator = 'StringEquals',
) {
  const Condition = { [operator]: { 'aws:SourceArn': sourceArn, 'aws:SourceAccount': payer } };
  const Principal = { Service: 'billingreports.amazonaws.com' };
  const allow = { Effect: 'Allow', Principal, Condition };
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { ...allow, Action: ['s3:GetBucketAcl', 's3:GetBucketPolicy'], Resource: `arn:aws:s3:::${bucket}` },
      { ...allow, Action: 's3:PutObject', Resource: `arn:aws:s3:::${bucket}/*` },
    ],
  });
}
