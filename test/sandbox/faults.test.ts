import { CreatePolicyCommand, GetPolicyCommand, IAMClient, ListRolesCommand } from '@aws-sdk/client-iam';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { installVirtualDate } from './clock.ts';
import { crashAfterWrite, type FaultRule } from './faults.ts';
import { errorOf, hub, payer, policy, rootOf, serve } from './testing/core-world.ts';

const running = await serve();
const { world } = running;
const iam = running.client(IAMClient);
const sts = running.client(STSClient);
const foreign = running.client(STSClient, rootOf(hub));
const lambda = running.client(LambdaClient);
// A client whose clock is off by more than four minutes retries every error.
const undoDate = installVirtualDate(world.clock);
afterAll(async () => {
  undoDate();
  await running.close();
});
beforeEach(() => {
  world.faults.length = world.calls.length = 0;
  world.iam.policies.clear();
});

const identify = (client = sts) => client.send(new GetCallerIdentityCommand({}));
const createPolicy = (PolicyName: string) =>
  iam.send(
    new CreatePolicyCommand({
      PolicyName,
      PolicyDocument: JSON.stringify(policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' })),
    }),
  );

/** The results of a series of calls: `ok` or the error's name. */
async function outcomes(count: number, call: () => Promise<unknown>): Promise<string[]> {
  const found: string[] = [];
  for (let at = 0; at < count; at++)
    found.push(
      await call().then(
        () => 'ok',
        (error: unknown) => (error as Error).name,
      ),
    );
  return found;
}

it.each<[reason: string, rule: Partial<FaultRule>, expected: string]>([
  ['every call', {}, 'XXXXX'],
  ['the second call', { nth: 2 }, '.X...'],
  ['every second call', { nth: 'every-2' }, '.X.X.'],
  ['from the third on', { nth: 'from-3' }, '..XXX'],
  ['the first two', { times: 2 }, 'XX...'],
  ['after two writes, without any write', { afterWrites: 2 }, '.....'],
  ['another operation', { operation: 'AssumeRole' }, '.....'],
  ['another account', { accountId: hub }, '.....'],
  ['another service', { service: 'iam' }, '.....'],
  ['only writes', { writes: true }, '.....'],
])('strikes %s', async (_, rule, expected) => {
  world.faults.push({ ...rule, kind: 'throttle' });
  const found = await outcomes(5, identify);
  expect(found.map((one) => (one === 'ok' ? '.' : 'X')).join('')).toBe(expected);
});

it('counts only the calls of the account that the rule names', async () => {
  world.faults.push({ kind: '500', accountId: hub, nth: 2 });
  expect(await outcomes(2, () => identify(foreign))).toEqual(['ok', 'InternalFailure']);
  expect(await outcomes(2, identify)).toEqual(['ok', 'ok']);
});

it('throttles with the code of the service', async () => {
  world.faults.push({ kind: 'throttle' });
  expect(await errorOf(iam.send(new ListRolesCommand({})))).toMatchObject({
    name: 'Throttling',
    message: 'Rate exceeded',
  });
  expect(await errorOf(lambda.send(new GetAccountSettingsCommand({})))).toMatchObject({
    name: 'TooManyRequestsException',
    status: 429,
  });
});

it('denies a call or answers the error that the rule gives', async () => {
  world.faults.push({ kind: 'denied', service: 'lambda' });
  world.faults.push({
    kind: { code: 'ConcurrentModificationException', message: 'wait a few minutes' },
    service: 'iam',
  });
  expect(await errorOf(lambda.send(new GetAccountSettingsCommand({})))).toMatchObject({
    name: 'AccessDeniedException',
    message: expect.stringContaining(`arn:aws:iam::${payer}:root is not authorized`) as string,
  });
  expect(await errorOf(iam.send(new ListRolesCommand({})))).toMatchObject({
    name: 'ConcurrentModificationException',
    status: 409,
  });
});

it('breaks the connection before a write is applied', async () => {
  world.faults.push({ kind: 'reset', operation: 'CreatePolicy' });
  await errorOf(createPolicy('lost'));
  expect(world.iam.policies.size).toBe(0);
  expect(world.calls).toMatchObject([{ operation: 'CreatePolicy', writes: true, error: 'injected:reset' }]);
});

it('applies a write but loses its answer', async () => {
  const retrying = running.client(IAMClient, rootOf(payer), 3);
  world.faults.push({ kind: 'applied-but-lost', operation: 'CreatePolicy', times: 1 });
  const document = JSON.stringify(policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' }));
  const repeated = retrying.send(new CreatePolicyCommand({ PolicyName: 'twice', PolicyDocument: document }));
  expect((await errorOf(repeated)).name).toBe('EntityAlreadyExistsException');
  expect(world.calls.map(({ error }) => error)).toEqual(['injected:applied-but-lost', 'EntityAlreadyExistsException']);
});

it('breaks every connection after the nth write until restarted', async () => {
  const restart = crashAfterWrite(world, 2);
  const read = () => iam.send(new GetPolicyCommand({ PolicyArn: `arn:aws:iam::${payer}:policy/one` }));
  await createPolicy('one');
  await read();
  await createPolicy('two');
  await errorOf(read());
  await errorOf(createPolicy('three'));
  restart();
  await read();
  expect([...world.iam.policies.values()].map(({ name }) => name)).toEqual(['one', 'two']);
});
