import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../shared/model/run.ts';
import { OnboardingRequest } from '../../shared/model/run-requests.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import { onboardingStepNames, type StepName, stepNames } from '../../shared/model/step-names.ts';
import { Run, runView } from '../../shared/runs/api-view.ts';
import { smallest } from '../support/stored-runs.ts';

const started = '2026-03-02T09:00:00.000Z';
const startedMs = Date.parse(started);
const hour = 3_600_000;

function step(fields: Partial<StepRecord> = {}): StepRecord {
  return {
    status: 'succeeded',
    startedAt: started,
    endedAt: started,
    invocations: 1,
    changes: [],
    warnings: [],
    ...fields,
  };
}

function run(steps: RunRecord['steps'], fields: Partial<RunRecord> = {}): RunRecord {
  return {
    runId: '01kjq3w5e8f2c9m4x7v1t6s0rz',
    kind: 'onboarding',
    attempt: 1,
    status: 'running',
    request: OnboardingRequest.parse(smallest),
    createdAt: started,
    steps,
    ...fields,
  };
}

const waiting = {
  for: 'the first delivery of the report',
  since: started,
  expectedBy: '2026-03-03T09:00:00.000Z',
  deadline: '2026-03-04T09:00:00.000Z',
  next: '2026-03-02T09:15:00.000Z',
};
const delivering: StepRecord = {
  status: 'waiting',
  startedAt: started,
  waiting,
  invocations: 1,
  changes: [],
  warnings: [],
};
const percentAt = (record: RunRecord, at: number) => runView(record, at).progress.percent;
const all = (without: StepName[] = []) =>
  Object.fromEntries(stepNames.filter((name) => !without.includes(name)).map((name) => [name, step()]));

describe('the view of a run', () => {
  it('shows every step in order, also without records', () => {
    const view = runView(run({ preflight: step() }));
    expect(view.steps.map(({ name }) => name)).toEqual(onboardingStepNames);
    expect(Run.parse(view)).toEqual(view);
  });

  it('shows the other identity mode’s step as skipped from the start', () => {
    const statuses = Object.fromEntries(runView(run({})).steps.map(({ name, status }) => [name, status]));
    expect(statuses).toMatchObject({ 'pod-role': 'pending', 'pod-identity': 'skipped' });
  });

  it('names the reason and the deadline of a wait', () => {
    const view = runView(run({ 'first-delivery': delivering }));
    expect(view.waiting).toEqual([{ step: 'first-delivery', ...waiting }]);
    expect(view.progress.currentSteps).toEqual(['first-delivery']);
  });

  it('omits a step’s notes and the cluster’s certificate bundle', () => {
    const output = { certificateAuthority: 'LS0tLS1CRUdJTg==', endpoint: 'https://cluster.example' };
    const text = JSON.stringify(runView(run({ preflight: step({ memo: { snapshot: 'private' }, output }) })));
    expect(text).toContain('https://cluster.example');
    expect(text).not.toMatch(/private|LS0tLS1CRUdJTg/);
    expect(text).not.toContain('memo');
  });

  it('increases its percentage during the delivery, below 100 until its end', () => {
    const record = run({ ...all(['crawler-stack', 'crawler-table']), 'first-delivery': delivering });
    const percents = [0, 6, 12, 18, 24, 40].map((hours) => percentAt(record, startedMs + hours * hour));
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    expect(new Set(percents.slice(0, 4)).size).toBe(4);
    expect(percents[5]).toBeLessThan(100);
    expect(percentAt(run(all()), startedMs)).toBe(99);
    expect(percentAt(run(all(), { status: 'succeeded' }), startedMs)).toBe(100);
    expect(percentAt(run({}, { status: 'planned' }), startedMs)).toBe(100);
    expect(percentAt(run({ preflight: step() }, { status: 'failed' }), startedMs)).toBeLessThan(10);
  });

  it('counts changes of all steps, but none in a dry run', () => {
    const changes = [{ do: 'create-bucket', resource: 'arn:aws:s3:::bill' }];
    const steps = { 'cur-bucket': step({ changes }), 'payer-role': step({ changes: [...changes, ...changes] }) };
    expect(runView(run(steps)).changes).toBe(3);
    const dryRun = { ...OnboardingRequest.parse(smallest), dryRun: true };
    const planned = runView(run(steps, { status: 'planned', request: dryRun }));
    expect(planned.changes).toBe(0);
    expect(planned.steps.flatMap((shown) => shown.changes)).toHaveLength(3);
  });

  it('contains the evidence: consumer status, query result and secret', () => {
    const query = {
      level: 'pod-chain',
      columns: 120,
      rows: [{ line_item_usage_account_id: '111122223333' }],
      rowCount: 1,
      day: '2026-03-01',
      scannedBytes: 10,
      queryExecutionIds: ['q-1'],
    };
    const published = {
      secret: 'kubecost/cloud-integration',
      resourceVersion: '7',
      sha256: 'ab',
      key: 'aws-111122223333',
      entry: { projectID: '111122223333' },
      otherKeys: ['azure'],
    };
    const steps = { ...all(), 'smoke-query': step({ output: query }), publish: step({ output: published }) };
    expect(runView(run(steps)).evidence).toBeNull();
    const view = runView(run(steps, { status: 'succeeded' }));
    expect(view.evidence).toEqual({
      level: 'query',
      connection: null,
      query,
      secret: {
        name: 'kubecost/cloud-integration',
        resourceVersion: '7',
        sha256: 'ab',
        key: 'aws-111122223333',
        otherKeys: ['azure'],
        mode: 'secret',
      },
      entry: { projectID: '111122223333' },
    });
    const seen = { ...steps, 'smoke-query': step({ output: { ...query, level: 'table-only' } }) };
    expect(runView(run(seen, { status: 'succeeded' })).evidence?.level).toBe('table');
    const connection = {
      verdict: 'proven',
      connectionStatus: 'Connection Successful',
      source: 'status',
      pendingFor: null,
      dataSince: '2026-02-01',
      chain: 'pod-chain',
    };
    const proven = runView(run({ ...seen, 'load-proof': step({ output: connection }) }, { status: 'succeeded' }));
    expect(proven.evidence).toMatchObject({ level: 'connection', connection });
    expect(Run.parse(proven)).toEqual(proven);
    const pending = { ...connection, verdict: 'pending', pendingFor: 'the first rows' };
    const waited = runView(run({ ...steps, 'load-proof': step({ output: pending }) }, { status: 'succeeded' }));
    expect(waited.evidence).toMatchObject({ level: 'query', connection: pending });
  });

  it('accepts another output from a step of an older deployment', () => {
    const steps = { ...all(), publish: step({ output: { was: 'different' } }) };
    expect(runView(run(steps, { status: 'succeeded' })).evidence).toBeNull();
  });
});
