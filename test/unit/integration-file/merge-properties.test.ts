import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  entryKey,
  foreignKeys,
  type IntegrationEntry,
  maskForeign,
  mergeEntries,
  type MergeOptions,
  parseIntegrationFile,
  removeEntries,
} from '../../../shared/integration-file/merge.ts';
import { spacedJson } from '../../support/json-arbitrary.ts';

const auto: MergeOptions = { format: 'auto', takeOver: false, ownedKeys: new Set() };

const name = fc.stringMatching(/^[a-z][a-z0-9-]{2,12}$/);
const secret = fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => `secret:${text}`);
const account = fc.stringMatching(/^[1-4][0-9]{11}$/);
const ourAccount = fc.stringMatching(/^9[0-9]{11}$/);

const entry: fc.Arbitrary<IntegrationEntry> = fc
  .record({ payerAccountId: ourAccount, bucket: name, region: name, database: name, table: name, workgroup: name })
  .map(({ payerAccountId, bucket, region, database, table, workgroup }) => ({
    payerAccountId,
    athenaResultsLocation: `s3://${bucket}`,
    athenaRegion: region,
    athenaDatabase: database,
    athenaTable: table,
    athenaWorkgroup: workgroup,
    payerRoleArn: `arn:aws:iam::${payerAccountId}:role/kubecost-cur-access`,
  }));
const twoPayers = fc.uniqueArray(entry, { minLength: 2, maxLength: 2, selector: (one) => one.payerAccountId });

/** Keys that no provider uses, with any value. */
const unknown = fc.dictionary(fc.stringMatching(/^x_[a-z]{1,5}$/), fc.jsonValue(), { maxKeys: 3 });
const withUnknown = <T extends object>(fields: fc.Arbitrary<T>) =>
  fc.tuple(unknown, fields).map(([a, b]) => ({ ...a, ...b }));
const spelling = (key: string) =>
  fc.constantFrom(key, key, key.toUpperCase(), key.charAt(0).toUpperCase() + key.slice(1));
const under = <T>(key: string, value: fc.Arbitrary<T>) => fc.tuple(spelling(key), value).map(([k, v]) => ({ [k]: v }));
const maybe = <T extends object>(value: fc.Arbitrary<T>) => fc.option(value, { nil: {} });
const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 3 });
const inAnyOrder = (document: object) =>
  fc
    .shuffledSubarray(Object.entries(document), { minLength: Object.keys(document).length })
    .map(Object.fromEntries<unknown>);

const legacyAws = withUnknown(
  fc.record(
    {
      athenaBucketName: secret,
      athenaRegion: name,
      athenaTable: name,
      projectID: account,
      serviceKeyName: secret,
      serviceKeySecret: secret,
    },
    { requiredKeys: ['projectID'] },
  ),
);
const legacyAzure = withUnknown(fc.record({ azureSubscriptionID: secret, azureStorageAccessKey: secret }));
const legacyGcp = withUnknown(fc.record({ projectID: secret, key: fc.dictionary(name, secret) }));
const legacyFile = fc
  .tuple(
    maybe(under('aws', list(legacyAws))),
    under('azure', list(legacyAzure)),
    maybe(under('gcp', fc.option(list(legacyGcp)))),
    unknown,
  )
  .map((parts) => Object.assign({}, ...parts) as object);

const awsAuthorizer = fc.oneof(
  fc.constant({ authorizerType: 'AWSServiceAccount' }),
  fc.record({ authorizerType: fc.constant('AWSAccessKey'), id: secret, secret }),
);
const athena = withUnknown(
  fc.record({
    bucket: secret,
    region: name,
    database: name,
    table: name,
    workgroup: name,
    account,
    authorizer: awsAuthorizer,
  }),
);
const s3 = withUnknown(fc.record({ bucket: secret, region: name, account, authorizer: awsAuthorizer }));
const bigQuery = withUnknown(
  fc.record({
    projectID: secret,
    dataset: name,
    table: name,
    authorizer: fc.record({ authorizerType: fc.constant('GCPServiceAccountKey'), key: fc.dictionary(name, secret) }),
  }),
);
const aws = fc
  .tuple(maybe(under('athena', fc.option(list(athena)))), maybe(under('s3', list(s3))), unknown)
  .map((parts) => Object.assign({}, ...parts) as object);
const configurationsFile = fc
  .tuple(maybe(under('aws', aws)), under('gcp', under('bigQuery', list(bigQuery))), unknown)
  .map((parts) => Object.assign({}, ...parts) as object);

const file = spacedJson(fc.oneof(legacyFile, configurationsFile).chain(inAnyOrder)).map(({ text }) => text);

function merged(text: string, entries: IntegrationEntry[], options = auto): string {
  const result = mergeEntries(text, entries, options);
  if (result.kind !== 'changed') throw new Error(JSON.stringify(result));
  return result.text;
}

function integrations(text: string) {
  const result = parseIntegrationFile(text);
  if (!result.accepted) throw new Error(`${result.path} ${result.problem}`);
  return result.integrations;
}

/** The one range in which two texts differ. */
function difference(before: string, after: string): { removed: string; added: string } {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start++;
  let end = 0;
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  return { removed: before.slice(start, before.length - end), added: after.slice(start, after.length - end) };
}

describe('a merge into any file', () => {
  it('inserts one range and removes only white space or null', () => {
    fc.assert(
      fc.property(file, entry, (text, ours) => {
        const { removed, added } = difference(text, merged(text, [ours]));
        expect(removed.trim()).toMatch(/^(n?u?l?l?)$/);
        expect(added).toContain(ours.payerAccountId);
        expect(added).not.toContain('secret:');
      }),
    );
  });

  it('adds exactly our entry to the loaded entries', () => {
    fc.assert(
      fc.property(file, entry, (text, ours) => {
        const after = integrations(merged(text, [ours]));
        expect(after.filter(({ key }) => key !== entryKey(ours))).toEqual(integrations(text));
        expect(after).toContainEqual({ key: entryKey(ours), provider: 'AWS', kind: 'athena', valid: true });
      }),
    );
  });

  it('changes nothing when repeated', () => {
    fc.assert(
      fc.property(file, twoPayers, (text, payers) => {
        const once = merged(text, payers);
        expect(mergeEntries(once, payers, auto)).toEqual({ kind: 'unchanged', text: once });
      }),
    );
  });

  it('gives the same content for both orders of two payers', () => {
    fc.assert(
      fc.property(file, twoPayers, (text, payers) => {
        const sorted = (result: string) =>
          integrations(result)
            .map(({ key }) => key)
            .sort();
        const oneWay = merged(text, payers);
        const otherWay = merged(text, payers.toReversed());
        expect(sorted(oneWay)).toEqual(sorted(otherWay));
        expect(oneWay.length).toBe(otherWay.length);
      }),
    );
  });

  it('is undone by a removal', () => {
    fc.assert(
      fc.property(file, entry, entry, (text, first, ours) => {
        fc.pre(first.payerAccountId !== ours.payerAccountId);
        const before = merged(text, [first]);
        expect(removeEntries(merged(before, [ours]), new Set([entryKey(ours)]))).toMatchObject({ text: before });
      }),
    );
  });

  it('replaces only our entry, in place', () => {
    fc.assert(
      fc.property(file, twoPayers, name, (text, [ours, other], table) => {
        if (!ours || !other) return;
        const before = merged(text, [ours, other]);
        const changed = { ...ours, athenaTable: `${table}-other`, athenaResultsLocation: `s3://${table}/elsewhere` };
        const after = merged(before, [changed], { ...auto, ownedKeys: new Set([entryKey(ours)]) });
        const { removed, added } = difference(before, after);
        expect(removed + added).not.toMatch(/secret:|x_/);
        expect(removed + added).not.toContain(other.payerAccountId);
        expect(foreignKeys(after, new Set([entryKey(changed)]))).toEqual(
          foreignKeys(before, new Set([entryKey(ours)])),
        );
        const back = merged(after, [ours], { ...auto, ownedKeys: new Set([entryKey(changed)]) });
        expect(JSON.parse(back)).toEqual(JSON.parse(before));
      }),
    );
  });

  it('shows no value of other entries', () => {
    fc.assert(
      fc.property(file, entry, (text, ours) => {
        const shown = JSON.stringify(maskForeign(merged(text, [ours]), new Set([entryKey(ours)])));
        expect(shown).not.toContain('secret:');
        expect(shown).toContain(ours.payerRoleArn);
      }),
    );
  });

  it('succeeds or is refused without a change for any JSON', () => {
    const provider = fc.constantFrom('aws', 'AWS', 'azure', 'gcp', 'oci', 'athena', 'usageApi', 'authorizer', 'x');
    const { document } = fc.letrec((tie) => ({
      document: fc.oneof({ maxDepth: 5 }, fc.jsonValue({ maxDepth: 1 }), tie('list'), tie('record')),
      list: fc.array(tie('document'), { maxLength: 2 }),
      record: fc.dictionary(provider, tie('document'), { maxKeys: 3 }),
    }));
    fc.assert(
      fc.property(spacedJson(document), entry, ({ text }, ours) => {
        const result = mergeEntries(text, [ours], auto);
        const accepted = parseIntegrationFile(text).accepted;
        if (!accepted) expect(result).toMatchObject({ kind: 'refused', code: 'secret-unparsable' });
        if (result.kind === 'changed') expect(integrations(result.text)).toHaveLength(integrations(text).length + 1);
      }),
      { numRuns: 1000 },
    );
  });
});
