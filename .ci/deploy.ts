import { buildFunctions } from '../functions/deployment/bundles.ts';
import { parameters, vpcProblem } from '../functions/deployment/parameters.ts';
import { serverless } from '../functions/deployment/run-serverless.ts';

const usage = `npm run deploy -- [--stage <name>] [--param <name>=<value>]...

Builds the functions and deploys the stack kubecost-payer-onboarding-<stage> (default stage: dev) with the credentials of
your AWS profile. Prints ApiUrl, HubAccountId and DeploymentId, which the access templates need.

Parameters:
${Object.entries(parameters)
  .map(([name, text]) => `  ${name.padEnd(24)}${text}`)
  .join('\n')}`;

const args = process.argv.slice(2);
const problem = vpcProblem(args);
if (args.includes('--help')) console.log(usage);
else if (problem) {
  console.error(problem);
  process.exitCode = 1;
} else {
  await buildFunctions();
  process.exitCode = await serverless(['deploy', '--verbose', ...args]);
}
