import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeIntegrationFile,
  entryKey,
  findPayer,
  foreignKeys,
  type IntegrationEntry,
  maskForeign,
  mergeEntries,
  type MergeOptions,
  parseIntegrationFile,
  removeEntries,
  renderEntry,
} from '../../../shared/integration-file/merge.ts';

const payer: IntegrationEntry = {
  payerAccountId: '111122223333',
  athenaResultsLocation: 's3://aws-athena-query-results-111122223333-us-east-1',
  athenaRegion: 'us-east-1',
  athenaDatabase: 'athenacurcfn_kubecost_cur',
  athenaTable: 'kubecost_cur',
  athenaWorkgroup: 'primary',
  payerRoleArn: 'arn:aws:iam::111122223333:role/kubecost-cur-access',
};
const second: IntegrationEntry = {
  ...payer,
  payerAccountId: '999900001111',
  athenaResultsLocation: 's3://second-results/kubecost',
  payerRoleArn: 'arn:aws:iam::999900001111:role/kubecost-cur-access',
};
const key = entryKey(payer);
const auto: MergeOptions = { format: 'auto', takeOver: false, ownedKeys: new Set() };
const takeOver = { ...auto, takeOver: true };
const owning = (...keys: string[]): MergeOptions => ({ ...auto, ownedKeys: new Set(keys) });

function golden(name: string): string {
  return readFileSync(new URL(`../../golden/cloud-integration/${name}.json`, import.meta.url), 'utf8');
}

function merged(text: string | undefined, options = auto, ...entries: IntegrationEntry[]): string {
  const result = mergeEntries(text, entries.length === 0 ? [payer] : entries, options);
  if (result.kind !== 'changed') throw new Error(JSON.stringify(result));
  return result.text;
}

const legacyFile = (fields: object) =>
  JSON.stringify({ aws: [{ ...(JSON.parse(renderEntry(payer, 'legacy')) as object), ...fields }] });
const configurationsFile = (fields: object) =>
  JSON.stringify({
    aws: { athena: [{ ...(JSON.parse(renderEntry(payer, 'configurations')) as object), ...fields }] },
  });

describe('whole files', () => {
  it.each([
    ['new-legacy', undefined, 'auto'],
    ['new-configurations', undefined, 'configurations'],
    ['legacy-with-azure', 'legacy-with-azure.before', 'auto'],
    ['configurations-with-others', 'configurations-with-others.before', 'auto'],
  ] as const)('come out as %s', async (name, before, format) => {
    const text = merged(before && golden(before), { ...auto, format }, payer, second);
    await expect(text).toMatchFileSnapshot(`../../golden/cloud-integration/${name}.json`);
    expect(parseIntegrationFile(text).accepted).toBe(true);
  });

  it('list the change of each entry', () => {
    expect(mergeEntries(undefined, [payer, second], auto)).toMatchObject({
      changes: [
        { do: 'create-file', key },
        { do: 'add-entry', key: entryKey(second) },
      ],
    });
  });
});

describe('the place of a new entry', () => {
  const places = (text: string, format: MergeOptions['format'] = 'auto') =>
    Object.entries(JSON.parse(merged(text, { ...auto, format })) as object).map(([name, value]) =>
      Array.isArray(value)
        ? `${name}[]`
        : typeof value === 'object' && value
          ? `${name}.${Object.keys(value as object).join('+')}`
          : name,
    );

  it.each([
    ['{}', 'auto', ['aws[]']],
    ['{}', 'configurations', ['aws.athena']],
    ['null', 'auto', ['aws[]']],
    ['{"aws":null}', 'auto', ['aws[]']],
    ['{"AWS":null}', 'configurations', ['AWS.athena']],
    ['{"aws":[]}', 'auto', ['aws[]']],
    ['{"aws":{}}', 'auto', ['aws.athena']],
    ['{"aws":{"Athena":null,"s3":[]}}', 'auto', ['aws.Athena+s3']],
    ['{"Aws":{"ATHENA":[]}}', 'auto', ['Aws.ATHENA']],
    ['{"azure":[]}', 'auto', ['azure[]', 'aws[]']],
    ['{"azure":{}}', 'auto', ['azure.', 'aws.athena']],
    ['{"oci":{"usageApi":[]}}', 'auto', ['oci.usageApi', 'aws.athena']],
    ['{"ibm":{}}', 'auto', ['ibm.', 'aws.athena']],
    ['{"x":"y"}', 'auto', ['x', 'aws[]']],
  ] as const)('in %s, asked for %s, is %j', (text, format, expected) => {
    expect(places(text, format)).toEqual(expected);
  });

  it.each([
    ['{"aws":[]}', 'configurations'],
    ['{"azure":[]}', 'configurations'],
    ['{"aws":{}}', 'legacy'],
    ['{"gcp":{}}', 'legacy'],
  ] as const)('is never found by converting, as %s would need for %s', (text, format) => {
    expect(mergeEntries(text, [payer], { ...auto, format })).toMatchObject({
      kind: 'refused',
      code: 'secret-format-differs',
    });
  });

  it('keeps line ends, tabs and the missing final newline', () => {
    const before = '{\r\n\t"aws": [\r\n\t\t{\r\n\t\t\t"projectID": "x"\r\n\t\t}\r\n\t]\r\n}';
    const after = merged(before);
    expect(after.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(after).toContain('\t\t},\r\n\t\t{\r\n\t\t\t"athenaBucketName": "s3://');
    expect(after.endsWith('\t]\r\n}')).toBe(true);
  });
});

describe('an entry that exists already', () => {
  it.each([
    ['legacy', legacyFile({})],
    ['configurations', configurationsFile({ catalog: 'AwsDataCatalog', x_owner: 'finops' })],
    ['legacy with other empty fields', legacyFile({ serviceKeyName: '', serviceKeySecret: null, athenaWorkgroup: '' })],
  ])('with the same content is not changed: %s', (_, text) => {
    expect(mergeEntries(text, [payer], auto)).toEqual({ kind: 'unchanged', text });
  });

  const differing: [string, string][] = [
    ['legacy', legacyFile({ athenaTable: 'old' })],
    ['configurations', configurationsFile({ table: 'old' })],
    ['an access key', legacyFile({ serviceKeyName: 'AKIA', serviceKeySecret: 'secret' })],
    ['a reader of plain files', legacyFile({ athenaTable: '', athenaDatabase: '' })],
    [
      'an access key behind the role',
      configurationsFile({
        authorizer: {
          authorizerType: 'AWSAssumeRole',
          roleARN: payer.payerRoleArn,
          authorizer: { authorizerType: 'AWSAccessKey', id: 'i', secret: 's' },
        },
      }),
    ],
  ];

  it.each(differing)('with other content is refused if not ours: %s', (_, text) => {
    const result = mergeEntries(text, [payer], auto);
    expect(result).toMatchObject({ kind: 'refused', code: 'entry-not-ours' });
    expect(JSON.stringify(result)).not.toMatch(/AKIA|secret"|old/);
  });

  it.each(differing)('with other content is replaced if ours or adopted: %s', (_, text) => {
    for (const options of [owning(key), takeOver]) {
      const result = mergeEntries(text, [payer], options);
      expect(result).toMatchObject({ kind: 'changed', changes: [{ do: 'replace-entry', key }] });
      expect(mergeEntries(result.kind === 'changed' ? result.text : '', [payer], auto).kind).toBe('unchanged');
      expect(JSON.stringify(result)).not.toMatch(/AKIA|serviceKey|AWSAccessKey/);
    }
  });

  it('keeps unknown fields when it is replaced', () => {
    const before = `{ "aws": [ { "x_note" : [1.50, "\\u0041"], "ATHENATABLE" : "old", "projectID" : "111122223333",
      "athenaBucketName" : "${payer.athenaResultsLocation}" } ] }`;
    const after = merged(before, takeOver);
    expect(after).toContain('"x_note" : [1.50, "\\u0041"]');
    expect(after).not.toContain('ATHENATABLE');
  });

  it('with another bucket is refused', () => {
    const text = legacyFile({ athenaBucketName: `${payer.athenaResultsLocation}/` });
    expect(mergeEntries(text, [payer], auto)).toEqual({
      kind: 'refused',
      code: 'payer-already-integrated',
      detail: `111122223333 already has the entry ${key}/`,
    });
  });

  it('with another bucket is replaced in place if ours or adopted', () => {
    const text = legacyFile({ athenaBucketName: 's3://old' });
    for (const options of [owning('111122223333/s3://old'), takeOver]) {
      expect(foreignKeys(merged(text, options), new Set())).toEqual([key]);
    }
  });

  it('is recognised by the account of its role too', () => {
    const text = configurationsFile({ account: '555566667777' });
    expect(mergeEntries(text, [payer], auto)).toMatchObject({ kind: 'refused', code: 'payer-already-integrated' });
    expect(findPayer(text, '111122223333')).toEqual([
      {
        key: `555566667777/${payer.athenaResultsLocation}`,
        kind: 'athena',
        valid: true,
        roleArn: payer.payerRoleArn,
      },
    ]);
  });

  it('that appears twice is refused even for an adoption', () => {
    const one = JSON.parse(renderEntry(payer, 'legacy')) as object;
    const other = { ...one, athenaBucketName: 's3://other' };
    for (const aws of [
      [one, one],
      [one, other],
      [other, one],
    ])
      expect(mergeEntries(JSON.stringify({ aws }), [payer], takeOver)).toMatchObject({
        kind: 'refused',
        code: 'payer-already-integrated',
      });
  });

  it('for plain files in configurations is refused even for an adoption', () => {
    const authorizer = { authorizerType: 'AWSServiceAccount' };
    const text = JSON.stringify({ aws: { s3: [{ bucket: 'csv', region: 'r', account: '111122223333', authorizer }] } });
    expect(mergeEntries(text, [payer], takeOver)).toMatchObject({ kind: 'refused', code: 'payer-already-integrated' });
  });
});

describe('files that must not be changed', () => {
  const own = renderEntry(payer, 'legacy');
  it.each([
    ['', 'the file is empty'],
    ['\uFEFF{}', 'the file starts with a byte order mark'],
    ['{"aws": [],}', 'the file is not JSON at line 1, column 12'],
    ['{"aws": []} // ours', 'the file is not JSON at line 1, column 13'],
    ['{"aws":[],"aws":[]}', '/aws is a duplicate key'],
    ['{"x":[{"y":1,"y":2}]}', '/x/0/y is a duplicate key'],
    ['{"aws":[],"AWS":[]}', '/aws is a duplicate key in different case'],
    ['{"aws":{"athena":[],"Athena":[]}}', '/aws/athena is a duplicate key in different case'],
    ['{"aws":{"athena":[null]}}', '/aws/athena/0 must be an object: the consumer crashes'],
    [`{"aws":[${own}],"gcp":[{"projectID":5}]}`, '/gcp/0/projectID must be a string'],
    ['{"azure":{"storage":[{"subscriptionID":"s"}]}}', '/azure/storage/0 has no account'],
  ])('are refused for a merge and a removal: %j', (text, detail) => {
    const refusal = { kind: 'refused', code: 'secret-unparsable', detail };
    expect(mergeEntries(text, [payer], takeOver)).toEqual(refusal);
    expect(removeEntries(text, new Set([key]))).toEqual(refusal);
  });

  it('include files that are not UTF-8', () => {
    expect(decodeIntegrationFile(Uint8Array.of(0x7b, 0xff, 0x7d))).toMatchObject({ code: 'secret-unparsable' });
    const decoded = decodeIntegrationFile(new TextEncoder().encode('\uFEFF{}'));
    expect(decoded).toEqual({ kind: 'decoded', text: '\uFEFF{}' });
    expect(decodeIntegrationFile(new TextEncoder().encode('{"ä":"…"}'))).toEqual({
      kind: 'decoded',
      text: '{"ä":"…"}',
    });
  });

  it('are not changed by a merge that is partly impossible', () => {
    const result = mergeEntries(legacyFile({ athenaTable: 'old' }), [second, payer], auto);
    expect(result).toMatchObject({ kind: 'refused', code: 'entry-not-ours' });
  });

  it('are not produced: a merge throws for an invalid entry', () => {
    expect(() => mergeEntries('{}', [{ ...payer, athenaTable: '' }], auto)).toThrow('would not load');
  });
});

describe('a removal', () => {
  it.each(['legacy-with-azure', 'configurations-with-others'])('restores %s as before the merge', (name) => {
    const result = removeEntries(golden(name), new Set([key, entryKey(second), 'nobody/s3://x']));
    expect(result).toMatchObject({
      changes: [
        { do: 'remove-entry', key },
        { do: 'remove-entry', key: entryKey(second) },
      ],
    });
    const before = golden(`${name}.before`);
    if (name === 'configurations-with-others') expect(result).toMatchObject({ text: before });
    else
      expect(JSON.parse(result.kind === 'changed' ? result.text : '')).toEqual({
        ...(JSON.parse(before) as object),
        aws: [],
      });
  });

  it('changes nothing if the entry is absent', () => {
    expect(removeEntries('{ }', new Set([key]))).toEqual({ kind: 'unchanged', text: '{ }' });
  });

  it('is refused for two entries with one key', () => {
    const own = renderEntry(payer, 'legacy');
    expect(removeEntries(`{"aws":[${own},${own}]}`, new Set([key]))).toMatchObject({ code: 'entry-not-ours' });
  });
});

describe('the shown content', () => {
  const text = merged(golden('configurations-with-others.before'));

  it('contains the keys of other entries', () => {
    expect(foreignKeys(text, new Set([key]))).toEqual([
      '444455556666/s3://other-results',
      '777788889999/csv-reports',
      'example-billing/billing.export',
    ]);
  });

  it('contains our entry, and only the structure of other entries', () => {
    const shown = maskForeign(text, new Set([key])) as { aws: { athena: unknown[] } };
    expect(shown.aws.athena[1]).toEqual(JSON.parse(renderEntry(payer, 'configurations')));
    expect(shown.aws.athena[0]).toMatchObject({ authorizer: { authorizerType: '***', id: '***', secret: '***' } });
    const values = JSON.stringify({ ...shown, aws: { ...shown.aws, athena: [shown.aws.athena[0]] } });
    expect(values.replaceAll(/"[^"]*":/g, '')).toMatch(/^[[\]{},"*]*$/);
  });

  it('omits foreign fields even in our own entry', () => {
    const own = legacyFile({ serviceKeySecret: 'hidden', x_token: 5, x_flag: true });
    expect(maskForeign(own, new Set([key]))).toMatchObject({
      aws: [{ projectID: '111122223333', serviceKeySecret: '***', x_token: '***', x_flag: true }],
    });
  });

  it('contains no value of a refused file', () => {
    expect(maskForeign('{"aws":[{"projectID":1,"a":"b"}]}', new Set([key]))).toEqual({
      aws: [{ projectID: '***', a: '***' }],
    });
    expect(maskForeign('hunter2', new Set())).toBe('***');
  });
});
