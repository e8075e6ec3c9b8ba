import { buildFunctions } from '../functions/deployment/bundles.ts';
import { serverless } from '../functions/deployment/run-serverless.ts';

/** CloudFormation and zips into .serverless/, without credentials and without a network. */
await buildFunctions();
process.exitCode = await serverless(['package', '--package', '.serverless', ...process.argv.slice(2)]);
