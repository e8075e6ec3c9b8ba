import { describe, expect, it } from 'vitest';
import { decide, effectOf, type PolicyDocument, type RequestContext } from './policy-evaluation.ts';

function allow(statement: object): PolicyDocument {
  return { Version: '2012-10-17', Statement: { Effect: 'Allow', Resource: '*', Action: '*', ...statement } };
}

function effect(
  statement: object,
  context: RequestContext = {},
  action = 's3:GetObject',
  resource = 'arn:aws:s3:::b/k',
) {
  return effectOf([allow(statement)], { action, resource, context });
}

describe('a statement', () => {
  it.each<[reason: string, statement: object, allowed: boolean]>([
    ['actions match without case', { Action: 'S3:getobject' }, true],
    ['an action may end in a wildcard', { Action: 's3:Get*' }, true],
    ['a question mark stands for one character', { Action: 's3:GetObjec?' }, true],
    ['another action is not covered', { Action: ['s3:PutObject', 's3:ListBucket'] }, false],
    ['NotAction covers all others', { Action: undefined, NotAction: 's3:PutObject' }, true],
    ['NotAction excludes its entries', { Action: undefined, NotAction: 's3:*' }, false],
    ['resources match with case', { Resource: 'arn:aws:s3:::B/k' }, false],
    ['a bucket is not its objects', { Resource: 'arn:aws:s3:::b' }, false],
    ['one of several resources suffices', { Resource: ['arn:aws:s3:::a/*', 'arn:aws:s3:::b/*'] }, true],
    ['NotResource excludes its entries', { Resource: undefined, NotResource: 'arn:aws:s3:::b/*' }, false],
    ['dots are dots', { Resource: 'arn:aws:s3:::.*' }, false],
  ])('%s', (_, statement, allowed) => {
    expect(effect(statement)).toBe(allowed ? 'allow' : 'implicit-deny');
  });
});

describe('a condition', () => {
  const role = 'arn:aws:iam::111122223333:role/path/name';
  it.each<[reason: string, condition: object, context: RequestContext, met: boolean]>([
    ['StringEquals compares with case', { StringEquals: { 'a:b': 'X' } }, { 'a:b': 'x' }, false],
    ['keys match without case', { StringEquals: { 'A:B': 'x' } }, { 'a:b': 'x' }, true],
    ['one of several values suffices', { StringEquals: { 'a:b': ['x', 'y'] } }, { 'a:b': 'y' }, true],
    ['every key must hold', { StringEquals: { 'a:b': 'x', 'a:c': 'x' } }, { 'a:b': 'x' }, false],
    ['every operator must hold', { StringEquals: { k: 'x' }, Bool: { l: 'true' } }, { k: 'x', l: 'false' }, false],
    ['StringEquals takes a star literally', { StringEquals: { k: 'x*' } }, { k: 'xy' }, false],
    ['StringLike takes wildcards', { StringLike: { k: 'x*' } }, { k: 'xy' }, true],
    ['StringNotLike negates', { StringNotLike: { k: 'x*' } }, { k: 'xy' }, false],
    ['StringNotEquals needs all values to differ', { StringNotEquals: { k: ['x', 'y'] } }, { k: 'y' }, false],
    ['a missing key fails StringEquals', { StringEquals: { k: 'x' } }, {}, false],
    ['a missing key passes StringNotEquals', { StringNotEquals: { k: 'x' } }, {}, true],
    ['IfExists forgives a missing key', { StringEqualsIfExists: { k: 'x' } }, {}, true],
    ['IfExists compares a present one', { StringEqualsIfExists: { k: 'x' } }, { k: 'y' }, false],
    ['ArnEquals names one role', { ArnEquals: { k: role } }, { k: role }, true],
    ['ArnLike takes wildcards within a part', { ArnLike: { k: 'arn:aws:iam::*:role/path/*' } }, { k: role }, true],
    ['an ARN wildcard stays in its part', { ArnLike: { k: 'arn:aws:*:role/path/name' } }, { k: role }, false],
    ['ArnNotEquals negates', { ArnNotEquals: { k: role } }, { k: role }, false],
    ['Bool reads booleans', { Bool: { k: true } }, { k: 'true' }, true],
    ['Null true needs the key to be absent', { Null: { k: 'true' } }, {}, true],
    ['Null false wants it present', { Null: { k: 'false' } }, {}, false],
    ['numbers compare as numbers', { NumericLessThanEquals: { k: '900' } }, { k: '60' }, true],
    ['ForAllValues wants all', { 'ForAllValues:StringEquals': { k: ['x', 'y'] } }, { k: ['x', 'z'] }, false],
    ['ForAllValues accepts none', { 'ForAllValues:StringLike': { k: 'x*' } }, {}, true],
    ['ForAnyValue wants one', { 'ForAnyValue:StringLike': { k: 'x*' } }, { k: ['z', 'xy'] }, true],
    ['ForAnyValue refuses none', { 'ForAnyValue:StringEquals': { k: 'x' } }, {}, false],
    [
      'variables are filled in',
      { StringEquals: { k: '${aws:PrincipalTag/team}' } },
      { k: 'a', 'aws:PrincipalTag/team': 'a' },
      true,
    ],
    ['a missing variable matches nothing', { StringEquals: { k: '${aws:PrincipalTag/team}' } }, { k: '' }, false],
  ])('%s', (_, Condition, context, met) => {
    expect(effect({ Condition }, context)).toBe(met ? 'allow' : 'implicit-deny');
  });

  it('with an unknown operator is an error', () => {
    expect(() => effect({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } })).toThrow('IpAddress');
  });
});

describe('policies together', () => {
  const question = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/k', context: {} };
  const all = allow({});
  const deny = allow({ Effect: 'Deny', Action: 's3:GetObject' });
  const other = allow({ Action: 'sqs:*' });

  it('deny when one of them denies', () => {
    const decision = decide('arn:me', [all, deny], undefined, question);
    expect(decision.message).toBe(
      'User: arn:me is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k with an explicit deny in an identity-based policy',
    );
  });

  it('deny when none allows and name the missing kind', () => {
    expect(decide('arn:me', [other], undefined, question).message).toBe(
      'User: arn:me is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k because no identity-based policy allows the s3:GetObject action',
    );
    expect(decide('arn:me', [all], other, question).message).toContain('no session policy allows');
  });

  it('are limited by a session policy', () => {
    expect(decide('arn:me', [all], all, question).allowed).toBe(true);
    expect(decide('arn:me', [other], all, question).allowed).toBe(false);
    expect(decide('arn:me', [all], deny, question).explicit).toBe(true);
  });
});
