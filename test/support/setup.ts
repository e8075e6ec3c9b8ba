// Vitest runs this file before each test file, and its imports once in each process.
import { afterEach, expect } from 'vitest';
import { seedFile, testSeed } from './seeded-random.ts';

import './process-setup.ts';

seedFile(expect.getState().testPath?.replace(/^.*\/test\//, '') ?? '');

afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`${task.name}: TEST_SEED=${testSeed}\n`);
});
