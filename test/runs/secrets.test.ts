import { GetExecutionHistoryCommand, SFNClient } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newClient } from '../../shared/aws/clients.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { hubAccountId, hubRegion } from '../support/deployed-sandbox.ts';
import { putFile, RunHarness } from '../support/run-harness.ts';
import { clusters, exampleRequest, foreignFile, plantedSecrets, readSecret } from '../support/scenario.ts';

/** Every answer of the API and every log line. */
const answers: string[] = [];
const lines: string[] = [];
const [finops] = clusters;
const planted = Object.values(plantedSecrets);

let runHarness: RunHarness;
const runs: Run[] = [];

beforeAll(async () => {
  const keep = (chunk: string | Uint8Array) => {
    lines.push(String(chunk));
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
  runHarness = await RunHarness.open({ deliveryHours: 0.25 });
  const { api } = runHarness;
  const fetch = api.fetch.bind(api);
  vi.spyOn(api, 'fetch').mockImplementation(async (...request) => {
    const answer = await fetch(...request);
    answers.push([...answer.headers].join('\n'), await answer.clone().text());
    return answer;
  });

  runs.push(await runHarness.onboard('new-irsa'));
  runs.push(await runHarness.onboard('take-over-hand-made'));
  const whole = readSecret(runHarness.stepHarness.world, finops) ?? '';
  // An error must not quote a refused file. The last two are broken directly before or after a secret.
  const broken = [
    foreignFile.replace('"aws"', '"aws":[],"aws"'),
    foreignFile.replace(`${plantedSecrets.azureKey}"`, plantedSecrets.azureKey),
    foreignFile.replace(`"${plantedSecrets.awsSecret}"`, plantedSecrets.awsSecret),
  ];
  for (const text of broken) {
    putFile(runHarness, finops, text);
    runs.push(await runHarness.onboard('adopt-report'));
  }
  putFile(runHarness, finops, whole);
  for (const path of ['/v1/runs', '/health', '/openapi.json', ...runs.map(({ links }) => links.self)])
    await api.fetch('GET', path);
  await api.fetch('POST', '/v1/onboardings', {
    body: JSON.stringify({ ...exampleRequest('new-irsa'), identity: { mode: 'pod-identity' } }),
    headers: { 'content-type': 'application/json' },
  });
});
afterAll(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

function expectNone(texts: readonly string[]): void {
  expect(texts.length).toBeGreaterThan(0);
  const encoded = planted.flatMap((secret) => [
    secret,
    // The base64 text depends on the secret's offset, so try all three offsets.
    ...[0, 1, 2].map((offset) =>
      Buffer.from(`${'x'.repeat(offset)}${secret}`)
        .toString('base64')
        .slice(4, -4),
    ),
  ]);
  for (const text of texts)
    for (const secret of encoded) if (text.includes(secret)) throw new Error(`${secret} is in ${text.slice(0, 400)}`);
}

describe('other parties’ secrets', () => {
  it('are in the file that two runs change and three refuse', () => {
    expect(runs.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'failed', 'failed', 'failed']);
    expect(runs.slice(2).map(({ error }) => error?.code)).toEqual(Array(3).fill('secret-unparsable'));
    for (const secret of planted) expect(readSecret(runHarness.stepHarness.world, finops)).toContain(secret);
  });

  it('are in no answer of the API', () => {
    expectNone(answers);
  });

  it('are in no log line', () => {
    expect(lines.some((line) => line.includes('"step":"publish"'))).toBe(true);
    expectNone(lines);
  });

  it('are in no item of the table', async () => {
    expectNone((await runHarness.stepHarness.items()).map((item) => JSON.stringify(item)));
  });

  it('are in no history of an execution', async () => {
    const { world } = runHarness.stepHarness;
    const states = newClient(SFNClient, hubRegion, () =>
      Promise.resolve({ accessKeyId: hubAccountId, secretAccessKey: 'x' }),
    );
    const histories = [];
    for (const executionArn of world.states.executions.keys())
      histories.push(
        JSON.stringify(await states.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }))),
      );
    expectNone(histories);
    expectNone([...world.states.executions.values()].map(({ input, result }) => JSON.stringify([input, result])));
  });

  it('keep their place and every byte around them', () => {
    const text = readSecret(runHarness.stepHarness.world, finops) ?? '';
    const own = foreignFile.indexOf('{"athenaBucketName":"s3://borealis');
    expect(text.slice(0, own)).toBe(foreignFile.slice(0, own));
    const end = foreignFile.slice(foreignFile.lastIndexOf(']'));
    expect(text.endsWith(end)).toBe(true);
  });
});
