import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { GetRoleCommand, IAMClient, UpdateAssumeRolePolicyCommand } from '@aws-sdk/client-iam';
import * as sts from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Credentials,
  errorOf,
  hub,
  lambdaTrust,
  payer,
  policy,
  rootOf,
  serve,
  sessionOf,
  trustIn,
} from '../../testing/core-world.ts';

const running = await serve();
const { world } = running;
afterAll(() => running.close());

const mayAssume = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' };
const mayTag = { Effect: 'Allow', Action: 'sts:TagSession', Resource: '*' };
const caller = sessionOf(world, hub, 'caller', mayAssume);
const callerArn = `arn:aws:iam::${hub}:role/caller`;
const hubRoot = `arn:aws:iam::${hub}:root`;

let made = 0;
/** A settled role in the payer account; returns its ARN. */
function roleThat(trust: ReturnType<typeof policy>, accountId = payer, maxSessionDuration = 3600): string {
  return world.iam.createRole({ accountId, name: `target-${++made}`, trust, maxSessionDuration, settled: true }).arn;
}

function assume(RoleArn: string, more: Partial<sts.AssumeRoleCommandInput> = {}, credentials: Credentials = caller) {
  const client = running.client(sts.STSClient, credentials);
  return client.send(new sts.AssumeRoleCommand({ RoleArn, RoleSessionName: 'run-1', ...more }));
}

function credentialsOf({ Credentials: issued }: sts.AssumeRoleCommandOutput): Credentials {
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = issued ?? {};
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}

const identity = (credentials: Credentials) =>
  running.client(sts.STSClient, credentials).send(new sts.GetCallerIdentityCommand({}));

describe('AssumeRole', () => {
  it('gives a session of the role that works until it expires', async () => {
    const answer = await assume(roleThat(trustIn({ AWS: hubRoot })), { DurationSeconds: 900 });
    const session = credentialsOf(answer);
    expect(answer.Credentials?.Expiration).toEqual(new Date(world.clock.now() + 900_000));
    const Arn = `arn:aws:sts::${payer}:assumed-role/target-${made}/run-1`;
    expect(await identity(session)).toMatchObject({
      Account: payer,
      Arn,
      UserId: answer.AssumedRoleUser?.AssumedRoleId,
    });
    expect(world.sts.callerOf(session.accessKeyId)?.arn).toBe(Arn);
    await world.clock.sleep(900_000);
    expect(await errorOf(identity(session))).toMatchObject({ name: 'ExpiredToken', status: 403 });
    expect(world.sts.callerOf(session.accessKeyId)).toBeUndefined();
  });

  it('accepts only issued keys with their token', async () => {
    const session = world.sts.issueSession({ accountId: hub, roleName: 'caller', sessionName: 's' });
    const { sessionToken, ...bare } = session;
    expect(sessionToken.length).toBeGreaterThan(600);
    for (const wrong of [bare, { ...session, sessionToken: 'x' }, { accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' }])
      expect((await errorOf(identity(wrong))).name).toBe('InvalidClientTokenId');
    expect(await identity(rootOf(payer))).toMatchObject({ Account: payer, Arn: `arn:aws:iam::${payer}:root` });
  });

  const denied = { name: 'AccessDenied', status: 403 };
  const external = { Condition: { StringEquals: { 'sts:ExternalId': `sandbox/${payer}` } } };
  const byArn = (arn: string) => ({ Condition: { ArnEquals: { 'aws:PrincipalArn': arn } } });
  it.each<[reason: string, trust: ReturnType<typeof policy>, more: object, allowed: boolean]>([
    ['the account of the caller', trustIn({ AWS: hub }), {}, true],
    ['the role of the caller', trustIn({ AWS: callerArn }), {}, true],
    ['everybody', trustIn({ AWS: '*' }), {}, true],
    ['another account', trustIn({ AWS: payer }), {}, false],
    ['a service', lambdaTrust, {}, false],
    ['the account, narrowed to the role', trustIn({ AWS: hubRoot }, byArn(callerArn)), {}, true],
    ['the account, narrowed to another role', trustIn({ AWS: hubRoot }, byArn(`${callerArn}x`)), {}, false],
    ['an external id that is sent', trustIn({ AWS: hubRoot }, external), { ExternalId: `sandbox/${payer}` }, true],
    ['an external id that is not sent', trustIn({ AWS: hubRoot }, external), {}, false],
    ['another external id', trustIn({ AWS: hubRoot }, external), { ExternalId: 'sandbox/other' }, false],
    [
      'a session name',
      trustIn({ AWS: hubRoot }, { Condition: { StringLike: { 'sts:RoleSessionName': 'run-*' } } }),
      {},
      true,
    ],
    [
      'all but the caller',
      policy(...trustIn({ AWS: hubRoot }).Statement, { ...trustIn({ AWS: callerArn }).Statement[0], Effect: 'Deny' }),
      {},
      false,
    ],
  ])('obeys a trust policy that names %s', async (_, trust, more, allowed) => {
    const roleArn = roleThat(trust);
    if (allowed) expect((await assume(roleArn, more)).AssumedRoleUser?.Arn).toContain(':assumed-role/');
    else
      expect(await errorOf(assume(roleArn, more))).toEqual({
        ...denied,
        message: `User: arn:aws:sts::${hub}:assumed-role/caller/test is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
      });
  });

  it('answers the same for a missing and an untrusting role', async () => {
    expect(await errorOf(assume(`arn:aws:iam::${payer}:role/missing`))).toMatchObject(denied);
  });

  it('needs the caller’s policy unless the trust names the caller', async () => {
    const powerless = sessionOf(world, hub, 'powerless');
    const arn = `arn:aws:iam::${hub}:role/powerless`;
    expect(await errorOf(assume(roleThat(trustIn({ AWS: arn })), {}, powerless))).toMatchObject(denied);
    expect(await errorOf(assume(roleThat(trustIn({ AWS: hubRoot }), hub), {}, powerless))).toMatchObject(denied);
    await assume(roleThat(trustIn({ AWS: arn }), hub), {}, powerless);
  });

  it('does not trust a role that was deleted and created again', async () => {
    world.iam.createRole({
      accountId: hub,
      name: 'reborn',
      trust: lambdaTrust,
      inline: { p: policy(mayAssume) },
      settled: true,
    });
    const named = roleThat(trustIn({ AWS: `arn:aws:iam::${hub}:role/reborn` }));
    const byCondition = roleThat(trustIn({ AWS: hubRoot }, byArn(`arn:aws:iam::${hub}:role/reborn`)));
    const old = world.iam.role(hub, 'reborn');
    if (old) world.iam.removeRole(old);
    await world.clock.sleep(1);
    world.iam.createRole({ accountId: hub, name: 'reborn', trust: lambdaTrust, inline: { p: policy(mayAssume) } });
    await world.clock.sleep(world.iam.propagationMs);
    const session = world.sts.issueSession({ accountId: hub, roleName: 'reborn', sessionName: 's' });
    expect(await errorOf(assume(named, {}, session))).toMatchObject(denied);
    await assume(byCondition, {}, session);
  });

  it('sees a new role and trust policy only after some seconds', async () => {
    const fresh = sessionOf(world, hub, 'fresh', mayAssume);
    const { arn } = world.iam.createRole({ accountId: payer, name: 'new', trust: lambdaTrust });
    const iam = running.client(IAMClient);
    await iam.send(new GetRoleCommand({ RoleName: 'new' }));
    const PolicyDocument = JSON.stringify(trustIn({ AWS: hubRoot }));
    await world.clock.sleep(5_000);
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: 'new', PolicyDocument }));
    await world.clock.sleep(5_000);
    expect(await errorOf(assume(arn, {}, fresh))).toMatchObject(denied);
    await world.clock.sleep(3_000);
    await assume(arn, {}, fresh);
  });

  it('limits chained sessions to one hour and others by role', async () => {
    const long = roleThat(trustIn({ AWS: hubRoot }), payer, 43_200);
    const again = sessionOf(world, hub, 'again', mayAssume);
    expect(await errorOf(assume(long, { DurationSeconds: 3601 }, again))).toMatchObject({
      name: 'ValidationError',
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    });
    await assume(long, { DurationSeconds: 43_200 }, rootOf(hub));
    const short = roleThat(trustIn({ AWS: hubRoot }));
    expect((await errorOf(assume(short, { DurationSeconds: 3601 }, rootOf(hub)))).message).toContain(
      'MaxSessionDuration',
    );
  });

  it.each<[reason: string, more: Partial<sts.AssumeRoleCommandInput>, name: string]>([
    ['a session name of one character', { RoleSessionName: 'x' }, 'ValidationError'],
    ['a session name with a slash', { RoleSessionName: 'run/1' }, 'ValidationError'],
    ['an external id with a blank', { ExternalId: 'a b' }, 'ValidationError'],
    ['less than 15 minutes', { DurationSeconds: 899 }, 'ValidationError'],
    ['a session policy over 2,048 characters', { Policy: ' '.repeat(2049) }, 'ValidationError'],
    ['an invalid session policy', { Policy: '{}' }, 'MalformedPolicyDocumentException'],
    [
      'tags that do not pack',
      { Tags: [1, 2].map((at) => ({ Key: `k${at}`, Value: 'v'.repeat(250) })) },
      'PackedPolicyTooLargeException',
    ],
  ])('refuses %s', async (_, more, name) => {
    expect((await errorOf(assume(roleThat(trustIn({ AWS: hubRoot })), more, rootOf(hub)))).name).toBe(name);
  });

  it('limits a session by its policy', async () => {
    const trust = trustIn({ AWS: hubRoot });
    const inline = { all: policy({ Effect: 'Allow', Action: '*', Resource: '*' }) };
    const { arn } = world.iam.createRole({ accountId: payer, name: 'wide', trust, inline, settled: true });
    const read = new GetRoleCommand({ RoleName: 'wide' });
    const narrow = await assume(arn, { Policy: JSON.stringify(policy(mayAssume)) }, rootOf(hub));
    const refused = await errorOf(running.client(IAMClient, credentialsOf(narrow)).send(read));
    expect(refused.message).toContain('because no session policy allows the iam:GetRole action');
    await running.client(IAMClient, credentialsOf(await assume(arn, {}, rootOf(hub)))).send(read);
  });
});

describe('transitive session tags', () => {
  const sessionTags = { 'kubernetes-namespace': 'kubecost', 'eks-cluster-name': 'finops' };
  const tagTrust = (principal: object) =>
    policy({ Effect: 'Allow', Principal: principal, Action: ['sts:AssumeRole', 'sts:TagSession'] });
  const pod = (name: string, ...rights: object[]) => {
    sessionOf(world, hub, name, ...rights);
    return world.sts.issueSession({ accountId: hub, roleName: name, sessionName: 'pod', sessionTags });
  };

  it('need sts:TagSession in the trust policy and the caller’s policy', async () => {
    const tagged = pod('pod', mayAssume, mayTag);
    const untrusted = await errorOf(assume(roleThat(trustIn({ AWS: hubRoot })), {}, tagged));
    expect(untrusted.message).toContain('is not authorized to perform: sts:TagSession on resource');
    const unallowed = await errorOf(assume(roleThat(tagTrust({ AWS: hubRoot })), {}, pod('pod2', mayAssume)));
    expect(unallowed.message).toContain('is not authorized to perform: sts:TagSession on resource');
    const session = await assume(roleThat(tagTrust({ AWS: hubRoot })), {}, tagged);
    expect(world.sts.callerOf(credentialsOf(session).accessKeyId)?.sessionTags).toEqual(sessionTags);
  });

  it('cannot be set again', async () => {
    const Tags = [{ Key: 'eks-cluster-name', Value: 'other' }];
    const refused = await errorOf(
      assume(roleThat(tagTrust({ AWS: hubRoot })), { Tags }, pod('pod3', mayAssume, mayTag)),
    );
    expect(refused.message).toContain('conflicts with a transitive tag key');
  });
});

describe('AssumeRoleWithWebIdentity', () => {
  const issuer = 'https://oidc.eks.eu-west-1.amazonaws.com/id/ABC';
  const path = issuer.slice(8);
  const providerArn = `arn:aws:iam::${payer}:oidc-provider/${path}`;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = 'system:serviceaccount:kubecost:kubecost-serviceaccount';
  const trust = policy({
    Effect: 'Allow',
    Principal: { Federated: providerArn },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: { [`${path}:sub`]: subject, [`${path}:aud`]: 'sts.amazonaws.com' } },
  });
  const RoleArn = roleThat(trust);
  world.sts.registerIssuer(issuer, rsa.publicKey);
  const provider = { arn: providerArn, accountId: payer, url: path, clientIds: ['sts.amazonaws.com'] };
  world.iam.providers.set(providerArn, { ...provider, thumbprints: [], createdAt: 0, tags: new Map() });

  const now = () => Math.floor(world.clock.now() / 1000);
  function token(claims: object = {}, alg = 'RS256', key: KeyObject = rsa.privateKey): string {
    const all = { iss: issuer, sub: subject, aud: ['sts.amazonaws.com'], exp: now() + 600, ...claims };
    const signed = [{ alg }, all].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
  const exchange = (WebIdentityToken: string, arn = RoleArn) =>
    // A pod has no other credentials.
    running
      .client(sts.STSClient, { accessKeyId: 'none', secretAccessKey: 'none' })
      .send(new sts.AssumeRoleWithWebIdentityCommand({ RoleArn: arn, RoleSessionName: 'pod', WebIdentityToken }));

  it('exchanges a service account token for the role’s session', async () => {
    const answer = await exchange(token());
    expect(answer).toMatchObject({
      SubjectFromWebIdentityToken: subject,
      Provider: providerArn,
      Audience: 'sts.amazonaws.com',
    });
    const session = credentialsOf(answer);
    expect((await identity(session)).Arn).toBe(answer.AssumedRoleUser?.Arn);
    world.sts.registerIssuer(issuer, ec.publicKey.export({ type: 'spki', format: 'pem' }) as string);
    await exchange(token({}, 'ES256', ec.privateKey));
    world.sts.registerIssuer(issuer, rsa.publicKey);
  });

  it.each<[reason: string, text: () => string, name: string, message: string]>([
    ['no token', () => 'x', 'InvalidIdentityTokenException', 'not a valid JWT'],
    [
      'an issuer without a provider',
      () => token({ iss: 'https://other.example' }),
      'InvalidIdentityTokenException',
      'No OpenIDConnect provider found in your account for https://other.example',
    ],
    [
      'another audience',
      () => token({ aud: 'kubernetes' }),
      'InvalidIdentityTokenException',
      'Incorrect token audience',
    ],
    ['another key', () => token({}, 'ES256', ec.privateKey), 'InvalidIdentityTokenException', 'signature'],
    ['an expired token', () => token({ exp: now() }), 'ExpiredTokenException', 'Token expired'],
    [
      'another service account',
      () => token({ sub: `${subject}-2` }),
      'AccessDenied',
      'Not authorized to perform sts:AssumeRoleWithWebIdentity',
    ],
  ])('refuses %s', async (_, text, name, message) => {
    const refused = await errorOf(exchange(text()));
    expect(refused.name).toBe(name);
    expect(refused.message).toContain(message);
  });

  it('refuses a role that does not trust the provider', async () => {
    expect((await errorOf(exchange(token(), roleThat(lambdaTrust)))).name).toBe('AccessDenied');
  });
});

describe('a presigned GetCallerIdentity', () => {
  class Sha256 {
    readonly #hash;
    constructor(key?: string | Uint8Array) {
      this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key);
    }
    update(data: string | Uint8Array) {
      this.#hash.update(data);
    }
    digest() {
      return Promise.resolve(new Uint8Array(this.#hash.digest()));
    }
    reset() {
      throw new Error('not needed');
    }
  }

  async function presigned(
    credentials: Credentials,
    cluster = 'finops',
    extra: Record<string, string> = {},
  ): Promise<string> {
    const signer = new SignatureV4({ service: 'sts', region: 'eu-west-1', credentials, sha256: Sha256 as never });
    const hostname = 'sts.eu-west-1.amazonaws.com';
    const query = { Action: 'GetCallerIdentity', Version: '2011-06-15', ...extra };
    const headers = { host: hostname, ...(cluster && { 'x-k8s-aws-id': cluster }) };
    const request = { method: 'GET', protocol: 'https:', hostname, path: '/', query, headers };
    const signed = await signer.presign(request, { expiresIn: 60, signingDate: new Date(world.clock.now()) });
    const pairs = Object.entries(signed.query ?? {}).map(
      ([key, value]) => `${key}=${encodeURIComponent(String(value))}`,
    );
    return `https://${hostname}/?${pairs.join('&')}`;
  }
  const session = () => world.sts.issueSession({ accountId: hub, roleName: 'caller', sessionName: 'token' });

  it('identifies signer and cluster for fifteen minutes', async () => {
    const url = await presigned(session());
    expect(world.sts.verifyPresigned(url).caller?.roleArn).toBe(callerArn);
    expect(world.sts.verifyPresigned(url, 'finops').caller?.roleArn).toBe(callerArn);
    expect(world.sts.verifyPresigned(url, 'other').reason).toContain('not for cluster other');
    await world.clock.sleep(15 * 60_000 + 1_000);
    expect(world.sts.verifyPresigned(url).reason).toContain('expired');
  });

  it.each<[reason: string, url: () => Promise<string>, message: string]>([
    ['an unsigned cluster name', () => presigned(session(), ''), 'did not sign'],
    ['a parameter more', () => presigned(session(), 'finops', { 'x-id': 'GetCallerIdentity' }), 'non-whitelisted'],
    ['another action', () => presigned(session(), 'finops', { Action: 'AssumeRole' }), 'unexpected action'],
    ['a stranger’s key', () => presigned({ accessKeyId: 'AKIA', secretAccessKey: 'x' }), 'unknown'],
    ['another host', async () => (await presigned(session())).replace('sts.eu-west-1', 'evil'), 'unexpected hostname'],
    ['plain HTTP', async () => (await presigned(session())).replace('https:', 'http:'), 'scheme'],
    ['a path', async () => (await presigned(session())).replace('/?', '/x?'), 'path'],
    ['no URL', () => Promise.resolve('nonsense'), 'no URL'],
  ])('is refused with %s', async (_, url, message) => {
    expect(world.sts.verifyPresigned(await url()).reason).toContain(message);
  });
});
