import {
  isSpace,
  type JsonArray,
  type JsonMember,
  type JsonNode,
  type JsonObject,
  type Splice,
} from './json-text-editing.ts';

/** A value to write: JSON text as it is, or a container with the layout of its surroundings. */
export type Draft = string | { items: Draft[] } | { members: [key: string, value: Draft][] };

/** The layout of the surroundings. */
export interface Layout {
  /** Line break of the document; '' for a single line. */
  eol: string;
  /** One level of indentation. */
  unit: string;
  /** Indentation of the line the value starts on. */
  indent: string;
  colon: string;
  /** White space after a comma and inside brackets, on a single line. */
  gap: string;
  pad: string;
}

export const newDocument: Layout = { eol: '\n', unit: '  ', indent: '', colon: ': ', gap: ' ', pad: '' };

/** Plain strings, lists and records as a draft. */
export type Plain = string | readonly Plain[] | { readonly [key: string]: Plain };

export function draftOf(value: Plain): Draft {
  if (typeof value === 'string') return JSON.stringify(value);
  if (isList(value)) return { items: value.map(draftOf) };
  return { members: Object.entries(value).map(([key, item]) => [key, draftOf(item)]) };
}

export function writeDraft(draft: Draft, layout: Layout): string {
  if (typeof draft === 'string') return draft;
  const inner = { ...layout, indent: layout.indent + layout.unit };
  const [open, close, parts] =
    'items' in draft
      ? ['[', ']', draft.items.map((item) => writeDraft(item, inner))]
      : ['{', '}', draft.members.map(([key, value]) => writeMember(key, value, inner))];
  if (parts.length === 0) return open + close;
  if (layout.eol === '') return open + layout.pad + parts.join(`,${layout.gap}`) + layout.pad + close;
  return (
    open + layout.eol + inner.indent + parts.join(`,${layout.eol}${inner.indent}`) + layout.eol + layout.indent + close
  );
}

export function appendItem(text: string, root: JsonNode, array: JsonArray, item: Draft): Splice {
  return append(text, root, array, (layout) => writeDraft(item, layout));
}

export function appendMember(text: string, root: JsonNode, object: JsonObject, key: string, value: Draft): Splice {
  return append(text, root, object, (layout) => writeMember(key, value, layout));
}

export function replaceNode(text: string, root: JsonNode, node: JsonNode, value: Draft): Splice {
  return { start: node.start, end: node.end, text: writeDraft(value, layoutLike(text, root, node)) };
}

/** The white space before the last child is copied before the new one. An empty container loses only its inner white space. */
function append(text: string, root: JsonNode, container: JsonArray | JsonObject, write: (layout: Layout) => string) {
  const last = container.children.at(-1);
  if (last !== undefined) {
    const lead = spaceBefore(text, last.start);
    return { start: last.end, end: last.end, text: `,${lead}${write(layoutLike(text, root, last))}` };
  }
  const layout = layoutLike(text, root, container);
  const indent = layout.indent + layout.unit;
  const body = write({ ...layout, indent });
  const inside =
    layout.eol === '' ? layout.pad + body + layout.pad : layout.eol + indent + body + layout.eol + layout.indent;
  return { start: container.start + 1, end: container.end - 1, text: inside };
}

function writeMember(key: string, value: Draft, layout: Layout): string {
  return `${JSON.stringify(key)}${layout.colon}${writeDraft(value, layout)}`;
}

/** The layout of `model`; if it is empty or a single value, the layout of the document around it. */
function layoutLike(text: string, root: JsonNode, model: JsonNode | JsonMember): Layout {
  const value = model.kind === 'member' ? model.value : model;
  const telling = value.kind !== 'scalar' && value.children.length > 0;
  const sample = telling ? text.slice(model.start, model.end) : text.slice(root.start, root.end);
  const indent = indentOfLine(text, model.start);
  const member = firstMember(model) ?? firstMember(root);
  const colon = member && text.slice(member.keyEnd, member.value.start);
  // A document without members has no layout.
  if (member === undefined || /[\r\n]/.test(sample)) {
    return {
      ...newDocument,
      eol: lineBreak.exec(sample)?.[0] ?? lineBreak.exec(text)?.[0] ?? '\n',
      unit: (telling ? nestedUnit(sample, indent) : undefined) ?? nestedUnit(text, '') ?? '  ',
      indent,
      colon: colon === undefined || lineBreak.test(colon) ? ': ' : colon,
    };
  }
  const pad = telling && isSpace(text[value.start + 1]) ? ' ' : '';
  return { eol: '', unit: '', indent: '', colon: colon ?? ':', gap: colon?.endsWith(' ') ? ' ' : '', pad };
}

const lineBreak = /\r\n|\r|\n/;

/** The indentation that the second line adds to `indent`. */
function nestedUnit(sample: string, indent: string): string | undefined {
  const nested = /[\r\n]([ \t]*)[^\s]/.exec(sample)?.[1] ?? '';
  return nested.startsWith(indent) && nested.length > indent.length ? nested.slice(indent.length) : undefined;
}

function firstMember(node: JsonNode | JsonMember): JsonMember | undefined {
  if (node.kind === 'member') return firstMember(node.value) ?? node;
  if (node.kind === 'scalar') return undefined;
  const [first] = node.children;
  return first === undefined || first.kind === 'member' ? first : firstMember(first);
}

function spaceBefore(text: string, offset: number): string {
  let start = offset;
  while (isSpace(text[start - 1])) start--;
  return text.slice(start, offset);
}

function indentOfLine(text: string, offset: number): string {
  const start = Math.max(text.lastIndexOf('\n', offset - 1), text.lastIndexOf('\r', offset - 1)) + 1;
  return /^[ \t]*/.exec(text.slice(start))?.[0] ?? '';
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}
