import { describe, expect, it } from 'vitest';
import { dataPolicy, type PayerData, tagsPolicy, unionWith } from '../../shared/access/payer-policy.ts';
import { tlsOnlyStatement } from '../../shared/aws/bucket.ts';
import { policyOf, samePolicy, type Statement } from '../../shared/aws/policy-document.ts';
import { billingStatements, missingBillingRights } from '../../shared/billing/cur-bucket-policy.ts';

const accountId = '111122223333';
const bucket = 'kubecost-cur-111122223333-eu-west-1';
const keyArn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const data: PayerData = {
  accountId,
  region: 'eu-west-1',
  workgroup: 'primary',
  database: 'athenacurcfn_kubecost_cur',
  table: 'kubecost_cur',
  curBucket: bucket,
  curPath: 'kubecost/kubecost_cur/kubecost_cur',
  curKeyArn: null,
  resultsBucket: 'kubecost-athena-results-111122223333-eu-west-1',
  resultsLocation: 's3://kubecost-athena-results-111122223333-eu-west-1',
  resultsKeyArns: [],
  catalogKeyArn: null,
};
const encrypted = {
  ...data,
  curKeyArn: keyArn,
  resultsKeyArns: [keyArn],
  resultsLocation: `${data.resultsLocation}/kubecost`,
};

const policies = {
  'cur-bucket-policy': policyOf(...billingStatements(bucket, accountId), tlsOnlyStatement(bucket)),
  'payer-data-policy': dataPolicy(data),
  'payer-data-policy-encrypted': dataPolicy(encrypted),
  'payer-tags-policy': tagsPolicy,
};

describe('generated documents', () => {
  it.each(Object.entries(policies))('equal the reviewed copy: %s', async (name, policy) => {
    await expect(`${JSON.stringify(policy, null, 2)}\n`).toMatchFileSnapshot(`../golden/policies/${name}.json`);
  });
});

describe('the payer role’s data policy', () => {
  it('fits into a session policy with KMS keys and a results path', () => {
    expect(JSON.stringify(dataPolicy(encrypted)).length).toBeLessThan(2048);
  });

  it('keeps another cluster’s resources and foreign statements', () => {
    const other = dataPolicy({
      ...data,
      workgroup: 'team-b',
      resultsLocation: 's3://team-b-results',
      resultsBucket: 'team-b-results',
    });
    const byHand: Statement = { Sid: 'ByHand', Effect: 'Allow', Action: 'athena:ListWorkGroups', Resource: '*' };
    const both = unionWith({ ...other, Statement: [...other.Statement, byHand] }, dataPolicy(data));
    expect(both.Statement).toContainEqual(byHand);
    expect(both.Statement.find(({ Sid }) => Sid === 'KubecostAthena')?.Resource).toEqual([
      'arn:aws:athena:eu-west-1:111122223333:workgroup/team-b',
      'arn:aws:athena:eu-west-1:111122223333:workgroup/primary',
    ]);
    expect(samePolicy(unionWith(both, other), both)).toBe(true);
    expect(samePolicy(unionWith(both, dataPolicy(data)), both)).toBe(true);
  });

  it('allows no write to the report’s bucket', () => {
    const writes = dataPolicy(data).Statement.filter(({ Action }) => JSON.stringify(Action).includes('s3:Put'));
    expect(writes.map(({ Resource }) => Resource)).toEqual([
      `${data.resultsLocation.replace('s3://', 'arn:aws:s3:::')}/*`,
    ]);
  });
});

describe('a report bucket’s policy', () => {
  const rightsIn = (...statements: Statement[]) => missingBillingRights(policyOf(...statements), bucket, accountId);
  const aws = { Service: 'billingreports.amazonaws.com' };
  const allow = (Action: string | string[], Resource: string): Statement => ({
    Effect: 'Allow',
    Principal: aws,
    Action,
    Resource,
  });

  it('allows AWS to deliver with our statements', () => {
    expect(rightsIn(...policies['cur-bucket-policy'].Statement)).toEqual([]);
  });

  it('allows AWS to deliver with each of AWS’s own examples', () => {
    const Condition = {
      StringEquals: {
        'aws:SourceArn': `arn:aws:cur:us-east-1:${accountId}:definition/*`,
        'aws:SourceAccount': accountId,
      },
    };
    const read = allow(['s3:GetBucketAcl', 's3:GetBucketPolicy'], `arn:aws:s3:::${bucket}`);
    const write = allow('s3:PutObject', `arn:aws:s3:::${bucket}/*`);
    expect(rightsIn(read, write)).toEqual([]);
    expect(rightsIn({ ...read, Condition }, { ...write, Condition })).toEqual([]);
    const combined: Statement = {
      ...allow(['s3:PutObject', 's3:GetBucketPolicy'], ''),
      Principal: { Service: ['billingreports.amazonaws.com', 'bcm-data-exports.amazonaws.com'] },
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      Condition: { StringLike: { 'aws:SourceAccount': [accountId] } },
    };
    expect(rightsIn(combined)).toEqual([]);
  });

  it('blocks the delivery if it is missing, too narrow or denies', () => {
    expect(missingBillingRights(undefined, bucket, accountId)).toEqual(['s3:GetBucketPolicy', 's3:PutObject']);
    const read = allow('s3:Get*', `arn:aws:s3:::${bucket}`);
    const write = allow('s3:PutObject', `arn:aws:s3:::${bucket}/*`);
    const one = { StringEquals: { 'aws:SourceArn': `arn:aws:cur:us-east-1:${accountId}:definition/kubecost_cur` } };
    expect(rightsIn(read, { ...write, Condition: one })).toEqual(['s3:PutObject']);
    expect(rightsIn(read, allow('s3:PutObject', `arn:aws:s3:::${bucket}/kubecost/*`))).toEqual(['s3:PutObject']);
    expect(rightsIn(read, write, { ...write, Effect: 'Deny', Principal: '*' })).toEqual(['s3:PutObject']);
    expect(rightsIn(read, write, tlsOnlyStatement(bucket))).toEqual([]);
  });
});
