import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { probe } from '../../shared/probe/probe.ts';
import { createWorld, startServer, type World } from '../sandbox/index.ts';

const payer = '111122223333';
const clusterAccount = '222233334444';
const region = 'eu-central-1';
const secrets = [
  'acme-billing-bucket',
  'team-finance',
  'Acme_Daily',
  'secret-reader',
  'finops-prod',
  'warehouse',
  payer,
  clusterAccount,
];

let world: World;
let server: Awaited<ReturnType<typeof startServer>>;
let text: string;

/** Runs with the credentials of an account's root, as a person would run it. */
async function probeAs(accountId: string, request: Parameters<typeof probe>[0]): Promise<string> {
  vi.stubEnv('AWS_ACCESS_KEY_ID', accountId);
  return probe(request);
}

beforeAll(async () => {
  world = createWorld({ startMs: Date.parse('2026-11-23T08:00:00Z') });
  server = await startServer(world);
  vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'x');
  vi.stubEnv('AWS_REGION', 'us-east-1');
  seedPayer();
  await world.eks.createCluster({ accountId: payer, region, name: 'finops-prod', addons: ['eks-pod-identity-agent'] });
  world.calls.splice(0);
  text = await probeAs(payer, { payerAccountId: payer, cluster: { region, name: 'finops-prod' } });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

function seedPayer(): void {
  const place = { S3Bucket: 'acme-billing-bucket', S3Prefix: 'team-finance', S3Region: region };
  world.organizations.create(payer, clusterAccount);
  world.cur.seedReport({
    accountId: payer,
    definition: { ReportName: 'Acme_Daily', ...place },
    deliveredSince: Date.parse('2026-10-01T00:00:00Z'),
  });
  world.s3.createBucket('555566667777', 'us-east-1', 'test');
  const Statement = {
    Sid: 'ForSecretReader',
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${clusterAccount}:role/secret-reader` },
    Action: 's3:GetObject',
    Resource: 'arn:aws:s3:::acme-billing-bucket/*',
    Condition: { StringEquals: { 'aws:SourceOrgID': 'o-abcdefghij' } },
  };
  world.s3.setPolicy('acme-billing-bucket', JSON.stringify({ Version: '2012-10-17', Statement }));
  world.glue.seedTable({
    accountId: payer,
    region,
    database: 'warehouse',
    table: 'acme_costs',
    location: 's3://acme-billing-bucket/team-finance/Acme_Daily/Acme_Daily/',
  });
  const template = 'team-finance/Acme_Daily/crawler-cfn.yml';
  const delivered = world.s3.text('acme-billing-bucket', template) ?? '';
  world.s3.put('acme-billing-bucket', template, delivered.replace(/^Resources:/m, 'Description: new\nResources:'));
}

describe('a probe', () => {
  it('only reads', () => {
    expect(world.calls.length).toBeGreaterThan(20);
    expect(world.calls.filter(({ writes }) => writes)).toEqual([]);
    expect(world.calls.filter(({ operation }) => !/^(Describe|Get|Head|List)/.test(operation))).toEqual([]);
  });

  it('has no command in its code that writes', () => {
    const files = readdirSync('shared/probe').map((name) => readFileSync(`shared/probe/${name}`, 'utf8'));
    const commands = files.flatMap((source) => source.match(/\b[A-Z]\w+Command\b/g) ?? []);
    expect(commands.length).toBeGreaterThan(20);
    expect(commands.filter((name) => !/^(AssumeRole|Describe|Get|Head|List)/.test(name))).toEqual([]);
  });

  it('prints no name, account id or key', () => {
    for (const secret of [...secrets, '555566667777', 'o-abcdefghij', 'ForSecretReader', 'acme_costs'])
      expect(text).not.toContain(secret);
    expect(text).not.toMatch(/\d{12}|AKIA|ASIA/);
  });

  it('prints the same replacement for the same name', () => {
    const bucket = /"S3Bucket":"(<bucket-\d+>)"/.exec(text)?.[1] ?? 'none';
    expect(text).toContain(`arn:aws:s3:::${bucket}/*`);
    expect(text).toContain(`"location":"s3://${bucket}/`);
  });

  const wanted: Record<string, RegExp> = {
    'the layout of a delivery':
      /^key: <prefix-1>\/<report-1>\/<report-1>\/year=2026\/month=11\/.*\.parquet \d+ bytes 2026/m,
    'the manifest': /^key: .*-Manifest\.json \d+ bytes/m,
    'the difference of the template': /"added":\["Description = new"\],"missing":\[\]/,
    'runtimes and rights of the template': /AWSCURInitializer\.Properties\.Runtime = nodejs/,
    'the policy of the bucket': /^policy: .*"aws:SourceOrgID":"<organisation-\d+>"/m,
    'the rules of the bucket': /^lifecycle: \{"failed":\{"code":"NoSuchLifecycleConfiguration"/m,
    'the text of a denial': /own bucket, with another expected owner: \{"failed":\{"code":"AccessDenied","status":403/,
    'a denial without a body': /^HeadBucket, .*"status":403/m,
    'the time of the last delivery': /"lastDelivery":"20261123T080000Z"/,
    'AWS’s own policies': /:iam::aws:policy\/service-role\/AWSGlueServiceRole/,
    'what it cannot read': /^source ARN of AWS’s deliveries: a data event/m,
    'what is known of new reports': /^is PutReportDefinition open: unknown/m,
    'the kind of account': /^organisation: \{"role":"management account"/m,
    'the tables': /^table <database-\d+>\.<table-\d+>: .*"PartitionKeys":\[\{"Name":"year","Type":"string"\}/m,
    'Glue’s encryption': /^GetDataCatalogEncryptionSettings: \{"EncryptionAtRest"/m,
    'Lake Formation’s defaults': /^Lake Formation defaults: .*IAM_ALLOWED_PRINCIPALS/m,
    'how the cluster lets callers in': /^settings: .*"access":\{.*"authenticationMode":"API/m,
    'the form of the issuer': /"oidcIssuer":"https:\/\/oidc\.eks\.eu-central-1\.amazonaws\.com\/id\/<id>"/,
    'the add-ons': /^add-on eks-pod-identity-agent: \{"status":"ACTIVE"/m,
    'the associations': /^Pod Identity associations: 0$/m,
  };
  it.each(Object.entries(wanted))('prints %s', (_, pattern) => {
    expect(text).toMatch(pattern);
  });

  it('prints each failure as a fact and ends', async () => {
    for (const kind of [
      'denied',
      '500',
      { code: 'ValidationException', message: `of ${payer}`, status: 400 },
    ] as const) {
      world.faults.push({ kind });
      const answer = await probeAs(payer, { payerAccountId: payer, cluster: { region, name: 'finops-prod' } });
      world.faults.splice(0);
      expect(answer).toContain('payer account: {"failed":{"code":');
      expect(answer).not.toContain(payer);
    }
  });

  it.each(['cur', 's3', 'glue', 'eks', 'organizations'])('prints the rest if %s fails', async (service) => {
    world.faults.push({ kind: 'denied', service });
    const answer = await probeAs(payer, { payerAccountId: payer, cluster: { region, name: 'finops-prod' } });
    world.faults.splice(0);
    expect(answer).toMatch(/"failed":\{"code":"AccessDenied/);
    expect(answer).toContain('## Denials of S3');
    expect(answer).not.toMatch(/\d{12}/);
  });

  it('says if the credentials are for another account', async () => {
    const answer = await probeAs(clusterAccount, { payerAccountId: payer });
    expect(answer).toMatch(/payer account: the credentials are for <account-\d>, not for <payer-1>/);
  });

  it('reads through a role', async () => {
    const arn = `arn:aws:iam::${payer}:role/auditor`;
    world.iam.createRole({
      accountId: payer,
      name: 'auditor',
      trust: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { AWS: clusterAccount }, Action: 'sts:AssumeRole' }],
      },
      inline: {},
      settled: true,
    });
    const answer = await probeAs(clusterAccount, { payerAccountId: payer, role: arn });
    expect(answer).toMatch(/^definitions: \{"failed":\{"code":"AccessDenied/m);
    expect(answer).not.toContain('auditor');
  });
});

describe('npm run probe', () => {
  const run = (...args: string[]) => spawnSync(process.execPath, ['.ci/probe.ts', ...args], { encoding: 'utf8' });

  it('explains itself', () => {
    const { status, stdout } = run('--help');
    expect(status).toBe(0);
    expect(stdout).toContain('npm run probe -- --payer <account id>');
  });

  it('refuses a cluster without its region', () => {
    const { status, stderr } = run('--payer', payer, '--cluster', 'finops');
    expect(status).toBe(2);
    expect(stderr).toContain('--cluster must be');
  });

  it('says which argument is wrong', () => {
    expect(run('--account', payer).stderr).toMatch(/^Unknown option '--account'/);
  });
});
