import { readFileSync } from 'node:fs';

const file = new URL('../golden/releases/items-0.3.0.jsonl', import.meta.url);

/** Items of one kind that release 0.3.0 wrote in the sandbox, or the part of them that an index or a projection shows. */
export function releasedItems(kind: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line, toSet) as { kind: string; item: Record<string, unknown> })
    .flatMap((line) => (line.kind === kind ? [line.item] : []));
}

/** JSON has no sets; the file spells DynamoDB's as `{ "$set": [...] }`. */
function toSet(_: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && '$set' in value ? new Set(value.$set as string[]) : value;
}
