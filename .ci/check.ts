import { spawnSync } from 'node:child_process';

/** Everything beside the tests that must hold before a change lands, the fastest first. */
const checks: readonly (readonly [title: string, ...command: string[]])[] = [
  ['types', 'tsc', '--noEmit'],
  ['lint', 'eslint', '.'],
  ['format', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['import rules', 'depcruise', 'shared', 'functions', 'state-machines', '.ci', 'test', '--output-type', 'err-long'],
  ['unused code', 'knip'],
  ['generated files', 'node', '.ci/generate.ts', '--check'],
  ['API description', 'redocly', 'lint', 'docs/openapi.json'],
  ['package', 'node', '.ci/package.ts'],
  ['template', 'node', '.ci/check-template.ts'],
  ['bundles', 'node', '.ci/bundles.ts'],
];

for (const [title, command = '', ...args] of checks) {
  console.log(`\n== ${title}`);
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, REDOCLY_TELEMETRY: 'off' } });
  if (status !== 0) {
    console.error(`${title}: failed`);
    process.exit(1);
  }
}
console.log('\nall checks passed');
