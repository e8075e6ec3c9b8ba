import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import list from './plain-english.json' with { type: 'json' };

const Entry = z.strictObject({ pattern: z.string(), instead: z.string(), caseSensitive: z.boolean().default(false) });
const Exception = z.strictObject({ pattern: z.string(), because: z.string() });
const { names, phrases, exceptions } = z
  .strictObject({ names: z.array(Entry), phrases: z.array(Entry), exceptions: z.array(Exception) })
  .parse(list);

const rules = [...names, ...phrases].map(({ pattern, instead, caseSensitive }) => ({
  // A phrase may continue on the next line of a comment.
  pattern: new RegExp(pattern.replaceAll(' ', String.raw`[\s*/#]+`), caseSensitive ? 'g' : 'gi'),
  instead,
}));
const allowed = exceptions.map(({ pattern }) => new RegExp(pattern, 'g'));

const textFile = /\.(ts|js|cjs|mjs|json|md|ya?ml|asl)$/;
/** The list itself, its test, and files that others wrote: package names, and items of release 0.3.0. */
const skipped =
  /^(\.ci\/plain-english\.json|test\/deployment\/plain-english\.test\.ts|package-lock\.json|test\/golden\/releases\/.*)$/;

/** One line for each word of the list in the text: where it is, the word, and what to write instead. */
export function plainEnglishProblems(path: string, content: string): string[] {
  const text = allowed.reduce((rest, pattern) => rest.replaceAll(pattern, (word) => ' '.repeat(word.length)), content);
  return rules
    .flatMap(({ pattern, instead }) =>
      [...text.matchAll(pattern)].map(({ index, 0: word }) => ({ index, word, instead })),
    )
    .sort((one, other) => one.index - other.index)
    .map(({ index, word, instead }) => {
      const line = text.slice(0, index).split('\n').length;
      return `${path}:${line}: "${word.replaceAll(/[\s*/#]+/g, ' ')}": write "${instead}"`;
    });
}

if (import.meta.main) {
  const files = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n');
  const problems = files
    .filter((path) => textFile.test(path) && !skipped.test(path))
    .flatMap((path) => plainEnglishProblems(path, readFileSync(path, 'utf8')));
  console.log(problems.length === 0 ? 'no word of .ci/plain-english.json found' : problems.join('\n'));
  if (problems.length > 0) process.exitCode = 1;
}
