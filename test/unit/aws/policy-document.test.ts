import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodePolicy,
  mergeStatements,
  policyCharacters,
  type PolicyDocument,
  policyOf,
  samePolicy,
  type Statement,
} from '../../../shared/aws/policy-document.ts';

const accountId = fc.constantFrom('111122223333', '222233334444', '333344445555');
const actions = fc.uniqueArray(fc.constantFrom('s3:GetObject', 's3:PutObject', 'athena:*', 'glue:GetTable'), {
  minLength: 1,
});
const resources = fc.uniqueArray(fc.constantFrom('arn:aws:s3:::cur', 'arn:aws:s3:::cur/*', 'arn:aws:s3:::results'), {
  minLength: 1,
});
const condition = fc.record({
  StringLike: fc.record({
    'aws:SourceAccount': fc.uniqueArray(accountId, { minLength: 1 }),
    'aws:SourceArn': fc.constantFrom('arn:aws:cur:us-east-1:111122223333:definition/*'),
  }),
});
const principal = fc.oneof(
  fc.uniqueArray(accountId, { minLength: 1 }).map((accounts): Listed['Principal'] => ({ AWS: accounts })),
  fc.constant<Listed['Principal']>({ Service: ['billingreports.amazonaws.com'] }),
  fc.constant<Listed['Principal']>({ AWS: ['*'] }),
);
interface Listed extends Statement {
  Principal: Record<string, string[]>;
  Action: string[];
  Resource: string[];
}
const statement: fc.Arbitrary<Listed> = fc.record(
  {
    Effect: fc.constantFrom('Allow', 'Deny'),
    Principal: principal,
    Action: actions,
    Resource: resources,
    Condition: condition,
  },
  { requiredKeys: ['Effect', 'Principal', 'Action', 'Resource'] },
);
const document = fc
  .array(statement, { minLength: 1, maxLength: 4 })
  .map((statements) => policyOf(...statements.map((one, index) => ({ Sid: `S${index}`, ...one }))));

/** The same policy in another notation, as an API may return it. */
function respell(policy: PolicyDocument, g: fc.GeneratorValue): PolicyDocument {
  const shuffled = <T>(items: readonly T[]) => g(() => fc.shuffledSubarray([...items], { minLength: items.length }));
  const again = (value: unknown): unknown => {
    if (Array.isArray(value)) {
      const items = shuffled(value);
      return items.length === 1 && g(fc.boolean) ? items[0] : items;
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(shuffled(Object.entries(value)).map(([key, item]) => [key, again(item)]));
  };
  const principalAgain = (value: Statement['Principal']): unknown => {
    if (typeof value !== 'object') return value;
    const { AWS: accounts } = value;
    if (!Array.isArray(accounts)) return again(value);
    if (accounts[0] === '*' && g(fc.boolean)) return '*';
    return again({
      AWS: accounts.map((id) => (id !== '*' && g(fc.boolean) ? `arn:aws:iam::${id}:root` : id)),
    });
  };
  const statements = shuffled(policy.Statement).map((one) => ({
    ...(again({ ...one, Principal: undefined }) as object),
    Principal: principalAgain(one.Principal),
  }));
  const [first] = statements;
  const text = JSON.stringify(
    { Statement: statements.length === 1 && g(fc.boolean) ? first : statements, Version: policy.Version },
    null,
    g(fc.nat, { max: 2 }),
  );
  const spaced = g(fc.boolean) ? `\n ${text}` : text;
  return decodePolicy(g(fc.boolean) ? encodeURIComponent(spaced) : spaced);
}

describe('two policies', () => {
  it('are equal in every notation of the same content', () => {
    fc.assert(
      fc.property(document, fc.gen(), (policy, g) => {
        expect(samePolicy(policy, respell(policy, g))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  const differences: [what: string, change: (statement: Listed) => Statement][] = [
    ['another effect', (one) => ({ ...one, Effect: one.Effect === 'Allow' ? 'Deny' : 'Allow' })],
    ['one more action', (one) => ({ ...one, Action: [...one.Action, 's3:DeleteObject'] })],
    ['one action less', (one) => ({ ...one, Action: one.Action.slice(1) })],
    ['another resource', (one) => ({ ...one, Resource: [...one.Resource.slice(1), 'arn:aws:s3:::other'] })],
    ['another account', (one) => ({ ...one, Principal: { AWS: ['999900001111'] } })],
    ['a role for its account', (one) => ({ ...one, Principal: { AWS: 'arn:aws:iam::111122223333:role/x' } })],
    [
      'one more condition',
      (one) => ({ ...one, Condition: { ...one.Condition, Bool: { 'aws:SecureTransport': 'true' } } }),
    ],
    ['another condition', (one) => ({ ...one, Condition: { StringLike: { 'aws:SourceAccount': '999900001111' } } })],
  ];
  it.each(differences)('differ by %s', (_, change) => {
    fc.assert(
      fc.property(document, fc.gen(), (policy, g) => {
        const index = g(fc.nat, { max: policy.Statement.length - 1 });
        const other = policyOf(...policy.Statement.map((one, at) => (at === index ? change(one as Listed) : one)));
        expect(samePolicy(policy, respell(other, g))).toBe(false);
      }),
    );
  });

  it('differ by a statement', () => {
    fc.assert(
      fc.property(document, (policy) => {
        expect(samePolicy(policy, policyOf(...policy.Statement.slice(1)))).toBe(false);
      }),
    );
  });

  it('differ if one names an account’s root user outside Principal', () => {
    const about = (owner: string) =>
      policyOf({
        Effect: 'Allow',
        Action: 's3:*',
        Resource: '*',
        Condition: { StringEquals: { 'aws:PrincipalArn': owner } },
      });
    expect(samePolicy(about('111122223333'), about('arn:aws:iam::111122223333:root'))).toBe(false);
  });

  it('differ by version only if they contain policy variables', () => {
    const old = (resource: string): PolicyDocument => ({ ...policyFor(resource), Version: '2008-10-17' });
    const policyFor = (Resource: string) => policyOf({ Effect: 'Allow', Action: 's3:GetObject', Resource });
    expect(samePolicy(old('arn:aws:s3:::cur/*'), policyFor('arn:aws:s3:::cur/*'))).toBe(true);
    expect(samePolicy(old('arn:aws:s3:::cur/${aws:username}'), policyFor('arn:aws:s3:::cur/${aws:username}'))).toBe(
      false,
    );
  });

  it('are equal if a boolean is written as text', () => {
    const flagged = decodePolicy(
      '{"Statement":{"Effect":"Deny","Action":"s3:*","Condition":{"Bool":{"aws:SecureTransport":false}}}}',
    );
    expect(
      samePolicy(
        flagged,
        policyOf({ Effect: 'Deny', Action: ['s3:*'], Condition: { Bool: { 'aws:SecureTransport': ['false'] } } }),
      ),
    ).toBe(true);
  });
});

describe('a merge into a policy', () => {
  const ours: Statement[] = [
    { Sid: 'KubecostRead', Effect: 'Allow', Action: 's3:GetObject', Resource: '*' },
    { Sid: 'KubecostWrite', Effect: 'Allow', Action: 's3:PutObject', Resource: '*' },
  ];

  it('keeps each foreign statement and its position', () => {
    fc.assert(
      fc.property(document, fc.nat({ max: 4 }), (policy, place) => {
        const stale: Statement = { Sid: 'KubecostWrite', Effect: 'Deny', Action: 's3:*', Resource: '*' };
        const before = policyOf(...policy.Statement.slice(0, place), stale, ...policy.Statement.slice(place));
        const merged = mergeStatements(before, ours);
        expect(merged.Statement.filter(({ Sid }) => !Sid?.startsWith('Kubecost'))).toEqual(policy.Statement);
        expect(merged.Statement.indexOf(ours[1] ?? stale)).toBe(before.Statement.indexOf(stale));
        expect(merged.Statement).toContainEqual(ours[0]);
      }),
    );
  });

  it('changes nothing when repeated', () => {
    fc.assert(
      fc.property(document, (policy) => {
        const merged = mergeStatements(policy, ours);
        expect(mergeStatements(merged, ours)).toEqual(merged);
      }),
    );
  });

  it('creates a policy if none exists', () => {
    expect(mergeStatements(undefined, ours)).toEqual({ Version: '2012-10-17', Statement: ours });
  });

  it('keeps the version, which foreign statements depend on', () => {
    const old = decodePolicy('{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"cur/${x}"}}');
    expect(mergeStatements(old, ours).Version).toBe('2008-10-17');
  });
});

describe('the size of a policy', () => {
  it('excludes white space, as in IAM', () => {
    const text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}';
    expect(policyCharacters(decodePolicy(JSON.stringify(JSON.parse(text), null, 4)))).toBe(text.length);
  });
});
