import { spawnSync } from 'node:child_process';

interface Check {
  title: string;
  command: readonly [string, ...string[]];
  /** What to do if it fails. */
  remedy: string;
}

/** Everything beside the tests that must hold before a change lands, the fastest first. */
const checks: readonly Check[] = [
  { title: 'types', command: ['tsc', '--noEmit'], remedy: 'Correct the types at the lines above.' },
  {
    title: 'lint',
    command: ['eslint', '.'],
    remedy: 'Correct the lines above; `npx eslint --fix .` does part of it.',
  },
  {
    title: 'format',
    command: ['prettier', '--check', '--log-level', 'warn', '.'],
    remedy: 'Run `npx prettier --write .`.',
  },
  {
    title: 'import rules',
    command: ['depcruise', 'shared', 'functions', 'state-machines', '.ci', 'test', '--output-type', 'err-long'],
    remedy:
      'Move the code to a module that may have this import. If the module may have it from now on, say so in .dependency-cruiser.cjs.',
  },
  {
    title: 'plain English',
    command: ['node', '.ci/plain-english.ts'],
    remedy:
      'Write what each line above proposes. Except a name that may not change in .ci/plain-english.json, with its reason.',
  },
  {
    title: 'unused code',
    command: ['knip'],
    remedy: 'Delete what is unused. If a tool runs the file, name it as an entry in knip.json.',
  },
  {
    title: 'generated files',
    command: ['node', '.ci/generate.ts', '--check'],
    remedy: 'Run `npm run generate` and commit the files that it wrote.',
  },
  {
    title: 'API description',
    command: ['redocly', 'lint', 'docs/openapi.json'],
    remedy: 'Correct the route in functions/api/ or its schema, then run `npm run generate`.',
  },
  {
    title: 'package',
    command: ['node', '.ci/package.ts'],
    remedy: 'Correct serverless.yml, or the file in functions/deployment/ that generates the named part.',
  },
  {
    title: 'template',
    command: ['node', '.ci/check-template.ts'],
    remedy: 'Correct the named resource in serverless.yml, or the file in functions/deployment/ that generates it.',
  },
  {
    title: 'bundles',
    command: ['node', '.ci/bundles.ts'],
    remedy: 'Import less in the function that is too big; functions/deployment/bundles.ts has the limits.',
  },
];

for (const { title, command, remedy } of checks) {
  const [program, ...args] = command;
  console.log(`\n== ${title}`);
  const { status } = spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, REDOCLY_TELEMETRY: 'off' } });
  if (status !== 0) {
    console.error(`${title}: failed. ${remedy}`);
    process.exit(1);
  }
}
console.log('\nall checks passed');
