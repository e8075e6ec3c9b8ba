import { describe, expect, it } from 'vitest';
import { dataPolicy, type PayerData } from '../../shared/access/payer-policy.ts';
import { sessionPolicyOf } from '../../shared/access/session-policy.ts';
import { listOf, type Statement } from '../../shared/aws/policy-document.ts';
import { createWorld } from '../sandbox/index.ts';
import { deployProvisioner } from '../support/provisioners.ts';

const accountId = '333300009999';
const region = 'ap-southeast-1';
const keyArn = (n: number) => `arn:aws:kms:${region}:${accountId}:key/1234abcd-12ab-34cd-56ef-12345678900${n}`;

const data: PayerData = {
  accountId,
  region,
  workgroup: 'finops',
  database: 'athenacurcfn_kubecost_cur',
  table: 'kubecost_cur',
  curBucket: `kubecost-cur-${accountId}-${region}`,
  curPath: 'kubecost/kubecost_cur/kubecost_cur',
  curKeyArn: keyArn(1),
  resultsBucket: `kubecost-athena-results-${accountId}-${region}`,
  resultsLocation: `s3://kubecost-athena-results-${accountId}-${region}`,
  resultsKeyArns: [keyArn(2), keyArn(3)],
  catalogKeyArn: keyArn(4),
};

/** What the statement allows and the sandbox's IAM denies to our role in the payer account. */
function beyondOurRole({ Action, Resource }: Statement, parameters: Record<string, string>): string[] {
  const world = createWorld();
  deployProvisioner(world, 'payer', accountId, parameters);
  const [role] = world.iam.roles(accountId);
  const caller = { accountId, arn: role?.arn ?? '', roleArn: role?.arn ?? '' };
  return listOf(Action).flatMap((action) =>
    listOf(Resource)
      // IAM evaluates a name; a `*` at the end stands for any name.
      .map((resource) => resource.replace(/\*$/, 'any'))
      .filter((resource) => !world.iam.evaluate(caller, { action, resources: [resource] }).allowed)
      .map((resource) => `${action} on ${resource}`),
  );
}

const allKeys = { KmsKeys: [1, 2, 3, 4].map(keyArn).join(',') };

describe('our role in the payer account', () => {
  it.each(dataPolicy(data).Statement.map((statement) => [statement.Sid, statement] as const))(
    'may do whatever %s lets the payer role do',
    (_, statement) => {
      expect(beyondOurRole(statement, allKeys)).toEqual([]);
    },
  );

  it('may use no key without parameter KmsKeys', () => {
    const missing = dataPolicy(data).Statement.flatMap((statement) => beyondOurRole(statement, {}));
    expect(missing).toContain(`kms:Decrypt on ${keyArn(1)}`);
    expect(missing.filter((text) => !text.startsWith('kms:'))).toEqual([]);
  });

  it('includes partitions, a query’s stop and multipart uploads', () => {
    const actions = dataPolicy(data).Statement.flatMap(({ Action }) => listOf(Action));
    expect(actions).toEqual(
      expect.arrayContaining(['glue:BatchGetPartition', 'athena:StopQueryExecution', 's3:ListBucketMultipartUploads']),
    );
  });
});

describe('the narrowed session', () => {
  const policy = sessionPolicyOf(dataPolicy(data));

  it('has room for the keys of bucket, results, workgroup and catalog', () => {
    expect(policy?.length).toBeLessThanOrEqual(2048);
    for (const n of [1, 2, 3, 4]) expect(policy).toContain(keyArn(n));
  });

  it('allows neither more actions nor other names than the policy', () => {
    const parsed = JSON.parse(policy ?? '{}') as { Statement: Statement[] };
    const rights = (statements: Statement[]) =>
      statements.map(({ Effect, Action, Resource }) => ({
        Effect,
        Action,
        Resource: listOf(Resource).map((arn) => arn.replace(/^(arn:aws:(?:athena|glue):[^:]*):[^:]*/, '$1')),
      }));
    expect(rights(parsed.Statement)).toEqual(rights(dataPolicy(data).Statement));
  });

  it('leaves out the conditions of buckets only where names are long', () => {
    expect(policy).toContain('aws:ResourceAccount');
    const long = sessionPolicyOf(dataPolicy({ ...data, database: 'd'.repeat(60) }));
    expect(long).not.toContain('aws:ResourceAccount');
    expect(sessionPolicyOf(dataPolicy({ ...data, database: 'd'.repeat(255) }))).toBeUndefined();
  });
});
