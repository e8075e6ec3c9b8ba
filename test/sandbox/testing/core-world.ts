import { VirtualClock } from '../clock.ts';
import { startServer } from '../server.ts';
import type { Service } from '../service.ts';
import { iamService } from '../services/iam/service.ts';
import { IamState } from '../services/iam/state.ts';
import { lakeformationService, LakeFormationState } from '../services/lakeformation.ts';
import { lambdaService, LambdaState } from '../services/lambda.ts';
import { organizationsService, OrganizationsState } from '../services/organizations.ts';
import { stsService } from '../services/sts/service.ts';
import { StsState } from '../services/sts/state.ts';
import type { World } from '../world.ts';

export const payer = '111122223333';
export const hub = '999900001111';
export const region = 'eu-west-1';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** A world with only the services for identities and accounts. */
export function coreWorld(): World {
  const services = [iamService, lakeformationService, lambdaService, organizationsService, stsService];
  const clock = new VirtualClock(Date.UTC(2026, 10, 10, 9));
  const world = { clock, calls: [], faults: [], services } as unknown as World;
  return Object.assign(world, {
    iam: new IamState(world),
    sts: new StsState(world),
    lambda: new LambdaState(),
    lakeformation: new LakeFormationState(),
    organizations: new OrganizationsState(),
  });
}

/** A world behind a server, and SDK clients for it. */
export async function serve(world = coreWorld(), services?: readonly Service[]) {
  const server = await startServer(world, services);
  return {
    world,
    ...server,
    /** @default credentials of the account's root */
    client<Client>(
      make: new (options: {
        endpoint: string;
        region: string;
        credentials: Credentials;
        maxAttempts: number;
      }) => Client,
      credentials: Credentials = rootOf(payer),
      maxAttempts = 1,
    ): Client {
      return new make({ endpoint: server.endpoint, region, credentials, maxAttempts });
    },
  };
}

export function rootOf(accountId: string): Credentials {
  return { accessKeyId: accountId, secretAccessKey: 'any' };
}

export function policy(...statements: object[]) {
  return { Version: '2012-10-17', Statement: statements as { Effect: string }[] };
}

export function trustIn(principal: object, extra: object = {}) {
  return policy({ Effect: 'Allow', Principal: principal, Action: 'sts:AssumeRole', ...extra });
}

export const lambdaTrust = trustIn({ Service: 'lambda.amazonaws.com' });

/** Credentials of a session of a new, settled role. */
export function sessionOf(world: World, accountId: string, name: string, ...statements: object[]): Credentials {
  const inline = { rights: policy(...statements) };
  world.iam.createRole({ accountId, name, trust: lambdaTrust, inline, settled: true });
  return world.sts.issueSession({ accountId, roleName: name, sessionName: 'test' });
}

/** The error of a call. */
export async function errorOf(
  call: Promise<unknown>,
): Promise<{ name: string; message: string; status: number | undefined }> {
  try {
    await call;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    return { name, message, status: $metadata?.httpStatusCode };
  }
  throw new Error('The call succeeded');
}
