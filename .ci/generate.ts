import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { renderStepsIndex } from '../functions/deployment/steps-index.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean' } } });

function write(path: string, content: string): void {
  writeFileSync(path, content);
  console.log(`wrote ${path}`);
}

// Everything else follows from the steps that this file lists, so it comes first.
const stepsIndex = 'functions/steps/index.ts';
if (!values.check && readFileSync(stepsIndex, 'utf8') !== renderStepsIndex()) write(stepsIndex, renderStepsIndex());

const { generatedFiles, staleFiles } = await import('../functions/deployment/generated-files.ts');
const stale = await staleFiles();
if (values.check) {
  if (stale.length > 0) throw new Error(`These files differ from the code; run npm run generate: ${stale.join(', ')}`);
} else {
  const files = generatedFiles();
  for (const path of stale) write(path, files[path] ?? '');
}
console.log('generated files are current');
