import { buildFunctions } from './build.ts';
import { serverless } from './serverless.ts';

/** CloudFormation and zips into .serverless/, without credentials and without a network. */
await buildFunctions();
process.exitCode = await serverless(['package', '--package', '.serverless', ...process.argv.slice(2)]);
