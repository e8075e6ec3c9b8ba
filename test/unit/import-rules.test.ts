import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { cruise, format } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const options = await extractDepcruiseOptions('./.dependency-cruiser.cjs');
const rules = options.ruleSet?.forbidden ?? [];
const folders = await readdir('shared', { withFileTypes: true });
const modules = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name);

/** A module that the given module may not import. */
function forbiddenFor(module: string): string {
  const rule = rules.find(({ name }) => name === `${module}-imports`);
  const allowed = new RegExp(rule && 'to' in rule ? String(rule.to.pathNot) : '');
  return modules.find((other) => !allowed.test(`shared/${other}/`)) ?? 'platform';
}

/** One wrong import for each rule: the file with it, and the file it imports. */
const planted: Record<string, readonly [from: string, to: string]> = {
  ...Object.fromEntries(
    modules.map((name) => [
      `${name}-imports`,
      [`shared/${name}/planted.ts`, `shared/${forbiddenFor(name)}/target.ts`] as const,
    ]),
  ),
  'no-circular': ['shared/text/circle.ts', 'shared/text/circle.ts'],
  'shared-has-modules-only': ['shared/planted.ts', 'shared/text/target.ts'],
  'steps-do-not-import-steps': ['functions/steps/planted.ts', 'functions/steps/target.ts'],
  'routes-stay-thin': ['functions/api/planted.ts', 'shared/aws/target.ts'],
  'deployment-imports': ['functions/deployment/planted.ts', 'functions/target.ts'],
  'functions-run-without-the-deployment': ['functions/planted.ts', 'functions/deployment/target.ts'],
  'state-machines-import-the-model': ['state-machines/planted.ts', 'shared/aws/target.ts'],
  'product-does-not-import-tests': ['state-machines/planted-test.ts', 'test/support/target.ts'],
  'sandbox-imports-no-product': ['test/sandbox/planted.ts', 'shared/text/target.ts'],
  'sandbox-through-its-index': ['test/support/planted.ts', 'test/sandbox/target.ts'],
};

let folder: string;
/** Documentation for readers. */
let report: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'import-rules-'));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  for (const [from, to] of Object.values(planted)) {
    if (from !== to) await write(to, 'export type Target = string;\n');
    await write(
      from,
      `import type { Target } from './${relative(dirname(from), to)}';\nexport type Planted = Target;\n`,
    );
  }
  const { output } = await cruise(['shared', 'functions', 'state-machines', 'test'], {
    ...options,
    baseDir: folder,
    validate: true,
  });
  if (typeof output === 'string') throw new Error(`dependency-cruiser answered text: ${output}`);
  const { output: text } = await format(output, { outputType: 'err-long' });
  if (typeof text !== 'string') throw new Error('dependency-cruiser answered no text');
  report = stripVTControlCharacters(text).replaceAll(/\s+/g, ' ');
});

afterAll(() => rm(folder, { recursive: true }));

describe('the import rules', () => {
  it('each have a forbidden import in this test', () => {
    expect(Object.keys(planted).sort()).toEqual(rules.map(({ name }) => name).sort());
  });

  it.each(rules)('refuse the forbidden import of $name', ({ name = '', comment = '' }) => {
    const [from = '', to = ''] = planted[name] ?? [];
    expect(report).toContain(`error ${name}: ${from} → ${to} ${comment}`);
  });
});

describe('shared/README.md', () => {
  it('describes each module of shared/ in one line', async () => {
    const lines = (await readFile('shared/README.md', 'utf8')).split('\n');
    const described = lines.flatMap((line) => /^\| `([\w-]+)` \| \S/.exec(line)?.slice(1) ?? []);
    expect(described.sort()).toEqual(modules.sort());
  });
});
