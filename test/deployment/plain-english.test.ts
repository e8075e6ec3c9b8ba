import { describe, expect, it } from 'vitest';
import { plainEnglishProblems } from '../../.ci/plain-english.ts';

describe('the plain English check', () => {
  it('names the line, the word and the replacement', () => {
    expect(plainEnglishProblems('a.md', 'A run.\nWhoever publishes.')).toEqual([
      'a.md:2: "Whoever": write "name the one who acts"',
    ]);
  });

  it('finds a phrase across the lines of a comment', () => {
    const [problem] = plainEnglishProblems('a.ts', '/**\n * Another run has in\n * hand the payer.\n */');
    expect(problem).toContain('a.ts:2: "has in hand"');
  });

  it('finds a name inside an identifier', () => {
    expect(plainEnglishProblems('a.ts', 'const hasKnocked = false;')).toHaveLength(1);
  });

  it.each(['batch.knocks', 'run.announced', "at('memo')", '"verdict": "proven"'])('accepts %s', (text) => {
    expect(plainEnglishProblems('a.ts', text)).toEqual([]);
  });
});
