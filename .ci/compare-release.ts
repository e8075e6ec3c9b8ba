import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseAllDocuments } from 'yaml';

/** Generated files that lie elsewhere since the release, and the texts that have changed since then, by file. */
const renamesFile = 'test/golden/releases/0.3.0/renames.json';

/** Generated documents and goldens whose content a release promises. Markdown pages are prose and not compared. */
const comparedFiles =
  /^(state-machines\/\w+\.asl|functions\/roles\.json|docs\/openapi\.json|docs\/access\/.*|test\/golden\/(?!releases\/).*)$/;

interface Difference {
  /** JSON pointer, for the reader. */
  at: string;
  before: unknown;
  after: unknown;
}

/** Places at which two documents differ, a whole subtree where its shape does. */
function differences(before: unknown, after: unknown, at = ''): Difference[] {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => differences(before[key], after[key], `${at}/${key}`));
  }
  return before === after ? [] : [{ at, before, after }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function documentOf(path: string, text: string): unknown {
  if (/\.(asl|json)$/.test(path)) return JSON.parse(text) as unknown;
  return parseAllDocuments(text).map((document) => document.toJS() as unknown);
}

function shown(value: unknown): string {
  return value === undefined ? '(nothing)' : JSON.stringify(value).slice(0, 200);
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

const usage = `node .ci/compare-release.ts [--ref <commit of 0.3.0>] [--update]

Compares the generated files of release 0.3.0 with today's. A text may differ only if ${renamesFile} names its old and new form.
--update adds the differing texts to that list, for a person to read.`;

const { values } = parseArgs({
  options: { ref: { type: 'string', default: 'e1b4b5a' }, update: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) {
  console.log(usage);
  process.exit();
}

interface Renames {
  /** Old path to new path. */
  files: Record<string, string>;
  /** Old text to new text, by old path. */
  texts: Record<string, Record<string, string>>;
}

const { files, texts } = JSON.parse(readFileSync(renamesFile, 'utf8')) as Renames;
let unexplained = 0;
let explained = 0;
const paths = git('ls-tree', '-r', '--name-only', values.ref)
  .split('\n')
  .filter((path) => comparedFiles.test(path));
for (const path of paths) {
  const known = (texts[path] ??= {});
  const before = documentOf(path, git('show', `${values.ref}:${path}`));
  const after = documentOf(path, readFileSync(files[path] ?? path, 'utf8'));
  for (const difference of differences(before, after)) {
    const { at, before: was, after: is } = difference;
    if (typeof was === 'string' && typeof is === 'string') {
      if (known[was] === is) {
        explained++;
        continue;
      }
      if (values.update && known[was] === undefined) {
        known[was] = is;
        continue;
      }
    }
    unexplained++;
    console.log(`${path}${at}\n  was ${shown(was)}\n  is  ${shown(is)}`);
  }
}
if (values.update) {
  const changed = Object.entries(texts).filter(([, ofFile]) => Object.keys(ofFile).length > 0);
  writeFileSync(renamesFile, `${JSON.stringify({ files, texts: Object.fromEntries(changed) }, null, 2)}\n`);
}
console.log(
  `${paths.length} files compared with ${values.ref}: ${explained} renamed texts, ${unexplained} other differences`,
);
process.exitCode = unexplained > 0 ? 1 : 0;
