import { describe, expect, it } from 'vitest';
import { entryKey, type IntegrationEntry } from '../../../shared/integration-file/merge.ts';
import { readStatus, statusPath } from '../../../shared/kubecost/connection-status.ts';

const entry: IntegrationEntry = {
  payerAccountId: '111122223333',
  athenaResultsLocation: 's3://results',
  athenaRegion: 'us-east-1',
  athenaDatabase: 'athenacurcfn_kubecost_cur',
  athenaTable: 'kubecost_cur',
  athenaWorkgroup: 'primary',
  payerRoleArn: 'arn:aws:iam::111122223333:role/kubecost-cur-access',
};

function integration(fields: object = {}) {
  return {
    key: entryKey(entry),
    source: 'multicloud',
    provider: 'AWS',
    active: true,
    valid: true,
    runs: 1,
    coverage: '[2026-02-01T00:00:00+0000, 2026-03-03T00:00:00+0000)',
    connectionStatus: 'Connection Successful',
    config: {
      bucket: entry.athenaResultsLocation,
      region: entry.athenaRegion,
      database: entry.athenaDatabase,
      table: entry.athenaTable,
      workgroup: entry.athenaWorkgroup,
      account: entry.payerAccountId,
      authorizer: { authorizerType: 'AWSAssumeRole', roleARN: entry.payerRoleArn },
    },
    ...fields,
  };
}

const read = (...data: object[]) => readStatus(JSON.stringify({ code: 200, data }), entry);
const decisionOf = (fields: object) => read(integration(fields))?.decision;

describe('the consumer’s status', () => {
  it.each([
    ['Connection Successful', 'proven', undefined],
    ['SUCCESSFUL_CONNECTION', 'proven', undefined],
    ['No Connection', 'pending', undefined],
    ['INITIAL_STATUS', 'pending', undefined],
    ['Data Missing', 'failing', 'connection-data-missing'],
    ['MISSING_DATA', 'failing', 'connection-data-missing'],
    ['Failed Connection', 'failing', 'connection-failed'],
    ['FAILED_CONNECTION', 'failing', 'connection-failed'],
    ['Invalid Configuration', 'failing', 'consumer-refuses-entry'],
    ['INVALID_CONFIGURATION', 'failing', 'consumer-refuses-entry'],
    ['MISSING_CONFIGURATION', 'failing', 'consumer-refuses-entry'],
    ['INCOMPLETE_CONFIGURATION', 'failing', 'consumer-refuses-entry'],
    ['Parse Error', 'failing', 'connection-failed'],
    ['PARSE_ERROR', 'failing', 'connection-failed'],
    ['', 'pending', undefined],
    ['Something New', 'pending', undefined],
  ])('%j means %s', (connectionStatus, expected, code) => {
    const decision = decisionOf({ connectionStatus });
    expect(decision).toMatchObject({ verdict: expected, ...(code && { code }) });
  });

  it.each([
    ['Failed Connection', 300],
    ['Data Missing', 600],
    ['Invalid Configuration', 0],
    ['Parse Error', 0],
  ])('%j counts only once it has lasted for %i s', (connectionStatus, lastsSeconds) => {
    expect(decisionOf({ connectionStatus })).toMatchObject({ lastsSeconds });
  });

  it('contains the first day with data', () => {
    expect(decisionOf({})).toEqual({ verdict: 'proven', dataSince: '2026-02-01' });
    expect(decisionOf({ coverage: undefined })).toEqual({ verdict: 'proven', dataSince: null });
  });

  it('of an entry that failed to load is final', () => {
    const decision = decisionOf({ connectionStatus: '', valid: false, active: false });
    expect(decision).toMatchObject({ code: 'consumer-refuses-entry', lastsSeconds: 0 });
  });

  it('of an inactive integration is no success', () => {
    expect(decisionOf({ active: false })).toMatchObject({ code: 'consumer-not-reading' });
  });

  it.each([
    ['table', { ...integration().config, table: 'old_cur' }],
    ['role', { ...integration().config, authorizer: { roleARN: 'arn:aws:iam::111122223333:role/by-hand' } }],
  ])('of an integration with another %s is not that of our entry', (_, config) => {
    expect(decisionOf({ config })).toMatchObject({ code: 'consumer-not-reading' });
  });

  it('of an older release is accepted without a configuration', () => {
    expect(decisionOf({ config: undefined })).toMatchObject({ verdict: 'proven' });
  });

  it.each([
    ['no integration', []],
    ['another payer’s', [integration({ key: '444455556666/s3://results' })]],
    ['a longer bucket’s', [integration({ key: `${entryKey(entry)}-2` })]],
    ['the same key from the settings page', [integration({ source: 'configController' })]],
  ])('with %s fails only after three minutes', (_, data) => {
    expect(read(...data)).toMatchObject({
      status: null,
      decision: { code: 'consumer-not-reading', lastsSeconds: 180 },
    });
  });

  it('of the file’s integration overrides that of the settings page', () => {
    const result = read(
      integration({ source: 'configController', connectionStatus: 'Failed Connection' }),
      integration(),
    );
    expect(result?.decision.verdict).toBe('proven');
  });

  it('of older releases is null if nothing is configured', () => {
    const result = readStatus('{"code":200,"data":null}', entry);
    expect(result).toMatchObject({ status: null, decision: { verdict: 'failing' } });
  });

  it.each(['<html>Sign in</html>', '{"code":500}', '', 'null'])('is undefined for the body %j', (body) => {
    expect(readStatus(body, entry)).toBeUndefined();
  });

  it('does not contain another integration’s data', () => {
    const other = integration({ key: 'x/s3://y', config: { secret: 'REDACTED-but-foreign' } });
    expect(JSON.stringify(read(other, integration({ connectionStatus: 'Failed Connection' })))).not.toContain(
      'foreign',
    );
  });
});

describe('the path or body of the status', () => {
  it.each([
    ['http:kubecost-cloud-cost:9005', '/proxy/cloudCost/status'],
    ['http:kubecost-cost-analyzer:9003', '/proxy/cloudCost/status'],
    ['http:kubecost-frontend:9090', '/proxy/model/cloudCost/status'],
  ])('at %s ends in %s', (service, end) => {
    expect(statusPath('kubecost', service)).toBe(`/api/v1/namespaces/kubecost/services/${service}${end}`);
  });

  it.each(['null', '{"code":200,"data":{"error":"login"}}', '"ok"'])('gives no status for the body %s', (body) => {
    expect(readStatus(body, entry)).toBeUndefined();
  });

  it('is accepted with null fields', () => {
    expect(decisionOf({ config: null, coverage: null })).toEqual({ verdict: 'proven', dataSince: null });
  });
});
