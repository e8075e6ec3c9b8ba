import { defineConfig } from 'vitest/config';
import { isLongSuite } from './test/support/long-suite.ts';
import { LongestFirst } from './test/support/longest-first.ts';

if (Number(process.versions.node.split('.')[0]) < 24)
  throw new Error('Run the tests through npm (`npm test`): they need Node 24.');

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: isLongSuite ? [] : ['test/**/*.long.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    pool: 'forks',
    // Worlds live for one test: a larger young generation keeps them out of the old one.
    execArgv: ['--max-semi-space-size=64'],
    // Node loads these once in a process, also where a test loads modules again: they change Node's and the SDK's own functions.
    server: {
      deps: {
        external: [
          /\/test\/support\/(direct-table|in-process-http|nominal-signature|process-setup|seeded-random)\.ts$/,
        ],
      },
    },
    maxWorkers: '100%',
    // Loading the SDK's clients, and compiling them until they are fast, costs more than most files' own tests.
    isolate: false,
    // For what hangs. Whole fleets are onboarded in a test, on machines that do other things meanwhile.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    sequence: { sequencer: LongestFirst },
  },
});
