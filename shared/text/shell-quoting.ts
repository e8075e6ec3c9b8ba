/** A command line that a POSIX shell splits into exactly these arguments; the first one is the program. */
export function commandLine(...words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

export function quoted(word: string): string {
  return /^[\w./:@%+,-][\w./:@%+,=-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
