import type { TableColumns } from './report-kind.ts';

/** Hive types without parts. */
const plain = /^(string|double|float|timestamp|date|boolean|tinyint|smallint|int|bigint|binary)$/;
const withParts = /^(decimal\(\d+,\d+\)|(varchar|char)\(\d+\)|(map|array|struct)<[a-z0-9_<>,:()]+>)$/;

/**
 * Names and types of the columns in the SQL that AWS leaves beside a report. The text is only read, never executed. A column whose type we
 * do not know is left out.
 * @returns undefined if the text creates no table
 */
export function columnsOfCreateTable(sql: string): TableColumns | undefined {
  const text = sql.replace(/--[^\n]*/g, ' ').replace(/\/\*[\s\S]*?\*\//g, ' ');
  const start = /create\s+external\s+table\s+(if\s+not\s+exists\s+)?[\w.`"-]+\s*\(/i.exec(text);
  if (!start) return undefined;
  const columns = new Map<string, string>();
  const unknown: string[] = [];
  for (const item of itemsFrom(text, start.index + start[0].length)) {
    const [, quoted, bare, rest = ''] = /^\s*(?:`([^`]+)`|"?([\w]+)"?)\s+([\s\S]+)$/.exec(item) ?? [];
    const name = (quoted ?? bare)?.toLowerCase();
    if (name === undefined || columns.has(name)) continue;
    const type = typeIn(rest);
    if (plain.test(type) || withParts.test(type)) columns.set(name, type);
    else unknown.push(`${name} (${type})`);
  }
  return {
    columns: [...columns].map(([name, type]) => ({ name, type })),
    warnings:
      unknown.length > 0 ? [`create-table.sql has columns of unknown types, left out: ${unknown.join(', ')}`] : [],
  };
}

function typeIn(definition: string): string {
  return definition
    .replace(/\s+comment\s+'[\s\S]*$/i, '')
    .replace(/\s+/g, '')
    .toLowerCase();
}

/** What stands between the commas of a list, up to the bracket that closes it. */
function itemsFrom(text: string, start: number): string[] {
  const items: string[] = [];
  let [depth, from, isText] = [0, start, false];
  for (let at = start; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "'") isText = !isText;
    if (isText) continue;
    if (character === '(' || character === '<') depth++;
    else if (character === ')' && depth === 0) return [...items, text.slice(from, at)];
    else if (character === ')' || character === '>') depth--;
    else if (character === ',' && depth === 0) {
      items.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return items;
}
