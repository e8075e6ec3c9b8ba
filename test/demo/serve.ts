import { parseArgs } from 'node:util';
import { hubAccountId, hubRegion, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { clusters, exampleRequest, examples, seedScenario } from '../support/scenario.ts';

const usage = `npm start [-- --no-signing]

Serves the API over the sandbox until Ctrl-C.
  PORT             port of the API on localhost (default 3000)
  SANDBOX_SPEED    simulated seconds per real second (default 600: a day takes 2.4 minutes)
  --no-signing     waives the signature on API calls, on this loopback address only`;

function number(name: string, fallback: number): number {
  const value = Number(process.env[name] ?? fallback);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${name} must be a positive number`);
  return value;
}

async function serve(signing: boolean): Promise<void> {
  const speed = number('SANDBOX_SPEED', 600);
  const sandbox = await startDeployedSandbox({ startMs: Date.now(), speed, signing, apiPort: number('PORT', 3000) });
  await seedScenario(sandbox.world);
  const curl = signing
    ? `curl -sS --aws-sigv4 aws:amz:${hubRegion}:execute-api --user ${hubAccountId}:sandbox`
    : 'curl -sS';
  const adopting = exampleRequest('adopt-report');
  const { payerAccountId, cluster } = adopting;
  const post = (route: string, body: object) =>
    `${curl} -X POST ${sandbox.apiUrl}/v1/${route} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  const payers = examples.map((name) => `${exampleRequest(name).payerAccountId}  examples/${name}.json`);
  console.log(`API      ${sandbox.apiUrl}   (${signing ? 'signed calls only; --no-signing waives that' : 'signing waived'})
AWS      ${sandbox.awsEndpoint}   (a 12-digit account id as access key is that account)
Time     ${speed} simulated seconds per real second (SANDBOX_SPEED)

Payer accounts:
  ${payers.join('\n  ')}
Clusters:
  ${clusters.map(({ accountId, region, name }) => `${accountId}  ${name} in ${region}`).join('\n  ')}

Try:
  ${post('onboardings', adopting)}
  ${curl} ${sandbox.apiUrl}/v1/runs
  ${post('batches', { defaults: { dryRun: true }, onboardings: examples.map((name) => exampleRequest(name)) })}
  ${post('offboardings', { payerAccountId, cluster })}
  curl -sS ${sandbox.apiUrl}/health
  AWS_ACCESS_KEY_ID=111122220004 AWS_SECRET_ACCESS_KEY=x aws --region us-east-1 --endpoint-url ${sandbox.awsEndpoint} iam get-role --role-name kubecost-cur-access

The API's own page: ${sandbox.apiUrl}/docs${signing ? ' (signed too: start with --no-signing to read it in a browser)' : ''}. Ctrl-C ends everything.
`);
  const stop = () => {
    void sandbox.close().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { 'no-signing': { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) console.log(usage);
  else await serve(!values['no-signing']);
}

await main().catch((error: unknown) => {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exit(1);
});
