/**
 * Replaces what identifies the owner of an account: account ids, names, hashes, addresses and keys. The same text gets the same
 * replacement everywhere in one output, so that a reader still sees what belongs together.
 */
export class Redaction {
  readonly #known = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** Names a text that is to be replaced by its kind and a number from now on. Short texts stay: they would match parts of words. */
  name(kind: string, text: string | undefined): void {
    if (text === undefined || text.length < 3 || this.#known.has(text) || publicNames.test(text)) return;
    this.#known.set(text, this.#next(kind));
  }

  apply(text: string): string {
    const names = [...this.#known]
      .filter(([, mark]) => !mark.startsWith('<account'))
      .toSorted(([a], [b]) => b.length - a.length);
    const named = names.reduce((rest, [name, mark]) => replaceWord(rest, name, mark), text);
    const inArns = named.replaceAll(
      /((?<![\w-])(?:(?<!iam::aws:)policy|assumed-role|role|user|group|instance-profile|cluster|alias|billingview)\/|arn:aws[\w-]*:s3:::)([^"'\s<>,*/]+)((?:\/[^"'\s<>,*/]+)*)/g,
      (found: string, start: string, name: string, rest: string) =>
        publicNames.test(name) ? found : `${start}${this.#mark('name', name + rest)}`,
    );
    return patterns.reduce(
      (rest, [kind, pattern]) => rest.replace(pattern, (found: string) => this.#mark(kind, found)),
      inArns,
    );
  }

  #mark(kind: string, text: string): string {
    const known = this.#known.get(text) ?? this.#next(kind);
    this.#known.set(text, known);
    return known;
  }

  #next(kind: string): string {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return `<${kind}-${count}>`;
  }
}

/** Names that every account has, or that AWS or this project gives. */
const publicNames = /^(kubecost|opencost|primary|default|cur|aws|us-east-1|billing|athena|glue|report|reports)$/i;

/** What identifies somebody by its form. A name of an access key comes before the account ids that it may hold. */
const patterns: readonly [kind: string, pattern: RegExp][] = [
  ['key', /\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{8,}\b/g],
  ['email', /[\w.+-]+@[\w-]+\.[\w.-]+/g],
  ['id', /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi],
  ['organisation', /\bo-[a-z0-9]{10,32}\b/g],
  ['account', /(?<!\d)\d{12}(?!\d)/g],
  ['hash', /\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b/gi],
  // Not the times of the CUR API, such as 20261123T101112Z.
  ['hash', /\b(?!\d{8}T\d{6}Z)(?=[0-9A-Z]*\d)(?=[0-9A-Z]*[A-Z])[0-9A-Z]{16,}\b/g],
  ['address', /\b\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?\b/g],
];

/** Only whole words, so that the name `cur` does not change `currency`. */
function replaceWord(text: string, word: string, mark: string): string {
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return text.replace(new RegExp(`(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`, 'g'), mark);
}
