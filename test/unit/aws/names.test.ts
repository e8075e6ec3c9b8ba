import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  athenaResultsBucketName,
  crawlerStackName,
  curBucketName,
  grantPolicyName,
  podRoleName,
} from '../../../shared/aws/names.ts';
import { curRegions } from '../../../shared/model/run-requests.ts';
import { targetId } from '../../../shared/model/target.ts';

const accountId = fc.stringMatching(/^\d{12}$/);
const clusterArn = fc
  .tuple(
    fc.constantFrom('eu-west-1', 'us-gov-west-1'),
    accountId,
    fc.stringMatching(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/),
  )
  .map(([region, account, name]) => `arn:aws:eks:${region}:${account}:cluster/${name}`);
const dnsLabel = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const dnsName = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/);
const reportName = fc.stringMatching(/^[0-9A-Za-z!_.*'() -]{1,256}$/);
const pod = fc.tuple(clusterArn, dnsLabel, dnsName);

describe('the name', () => {
  it('of a bucket is valid in S3 for every payer and region', () => {
    fc.assert(
      fc.property(accountId, fc.constantFrom(...curRegions), (payer, region) => {
        for (const name of [curBucketName(payer, region), athenaResultsBucketName(payer, region)])
          expect(name).toMatch(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/);
      }),
    );
  });

  it('of a stack is valid in CloudFormation for every report', () => {
    fc.assert(
      fc.property(reportName, (report) => {
        expect(crawlerStackName(report)).toMatch(/^[A-Za-z][0-9A-Za-z-]{0,127}$/);
      }),
    );
  });

  it('of a role or policy is valid in IAM for every pod', () => {
    fc.assert(
      fc.property(pod, (place) => {
        expect(podRoleName(...place)).toMatch(/^[\w+=,.@-]{1,64}$/);
        expect(grantPolicyName(...place)).toMatch(/^[\w+=,.@-]{1,128}$/);
      }),
    );
  });

  it('is different for each pod, report and target', () => {
    const distinct = <T>(one: fc.Arbitrary<T>, ...names: ((from: T) => string)[]) => {
      fc.assert(
        fc.property(
          fc.uniqueArray(one, { minLength: 2, maxLength: 20, selector: (from) => JSON.stringify(from) }),
          (all) => {
            for (const name of names) expect(new Set(all.map(name)).size).toBe(all.length);
          },
        ),
      );
    };
    distinct(
      pod,
      (place) => podRoleName(...place),
      (place) => grantPolicyName(...place),
      ([arn, namespace, secretName]) => targetId({ clusterArn: arn, namespace, secretName }),
    );
    distinct(reportName, crawlerStackName);
  });

  it('of a-b and c differs from the name of a and b-c', () => {
    const arn = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';
    expect(podRoleName(arn, 'a-b', 'c')).not.toBe(podRoleName(arn, 'a', 'b-c'));
    expect(grantPolicyName(arn, 'a-b', 'c')).not.toBe(grantPolicyName(arn, 'a', 'b-c'));
    expect(targetId({ clusterArn: arn, namespace: 'a-b', secretName: 'c' })).not.toBe(
      targetId({ clusterArn: arn, namespace: 'a', secretName: 'b-c' }),
    );
    expect(crawlerStackName('a_b')).not.toBe(crawlerStackName('a-b'));
  });

  it('differs for service accounts that differ only in cut or replaced characters', () => {
    const arn = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';
    const long = 'a'.repeat(60);
    expect(podRoleName(arn, 'kubecost', `${long}1`)).not.toBe(podRoleName(arn, 'kubecost', `${long}2`));
    expect(podRoleName(arn, 'kubecost', 'a.b')).not.toBe(podRoleName(arn, 'kubecost', 'a-b'));
  });

  it('stays the same as in earlier releases', () => {
    const arn = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';
    expect(podRoleName(arn, 'kubecost', 'kubecost-serviceaccount')).toMatchInlineSnapshot(
      `"kubecost-kubecost-serviceaccount-3a8520df"`,
    );
    expect(grantPolicyName(arn, 'kubecost', 'kubecost-serviceaccount')).toMatchInlineSnapshot(
      `"kubecost-access-cur-in-payer-account-3a8520df"`,
    );
    expect(crawlerStackName('kubecost_cur')).toMatchInlineSnapshot(`"kubecost-crawler-kubecost-cur-06dd64f5"`);
    expect(curBucketName('111122223333', 'us-east-1')).toMatchInlineSnapshot(`"kubecost-cur-111122223333-us-east-1"`);
  });
});
