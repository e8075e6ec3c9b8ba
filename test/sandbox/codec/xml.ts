import { parseXML } from '@aws-sdk/xml-builder';
import type { NormalizedSchema } from '@smithy/core/schema';
import { members } from './shapes.ts';
import { type Fields, readText, writeText } from './values.ts';

/** The content of the document's root element. */
export function parseRoot(text: string): unknown {
  const [root] = Object.values(parseXML(text) as Fields);
  return root;
}

export function fromXml(node: unknown, schema: NormalizedSchema): unknown {
  if (schema.isStructSchema()) {
    const found: Fields = {};
    for (const [name, member, traits] of members(schema)) {
      const child = childNode(node, traits.xmlName ?? name);
      if (child === undefined) continue;
      found[name] = fromXml(member.isListSchema() && !traits.xmlFlattened ? items(child, member) : child, member);
    }
    return found;
  }
  if (schema.isListSchema()) return asList(node).map((item) => fromXml(item, schema.getValueSchema()));
  if (schema.isMapSchema())
    return Object.fromEntries(
      asList(childNode(node, 'entry') ?? []).map((entry) => [
        textOf(childNode(entry, 'key')),
        fromXml(childNode(entry, 'value'), schema.getValueSchema()),
      ]),
    );
  return readText(textOf(node), schema);
}

function items(node: unknown, list: NormalizedSchema): unknown {
  return childNode(node, itemName(list)) ?? [];
}

function itemName(list: NormalizedSchema): string {
  return list.getValueSchema().getMergedTraits().xmlName ?? 'member';
}

function childNode(node: unknown, name: string): unknown {
  return typeof node === 'object' && node !== null ? (node as Fields)[name] : undefined;
}

function asList(node: unknown): unknown[] {
  return Array.isArray(node) ? node : [node];
}

/** An element with attributes has its text under `#text`. */
function textOf(node: unknown): string {
  const text = typeof node === 'object' ? childNode(node, '#text') : node;
  return typeof text === 'string' ? text : '';
}

function toXml(name: string, value: unknown, schema: NormalizedSchema): string {
  if (value === undefined || value === null) return '';
  if (schema.isStructSchema()) return element(name, structContent(value as Fields, schema));
  if (schema.isListSchema()) {
    const item = schema.getValueSchema();
    const flattened = schema.getMergedTraits().xmlFlattened;
    const written = (value as unknown[]).map((one) => toXml(flattened ? name : itemName(schema), one, item)).join('');
    return flattened ? written : element(name, written);
  }
  if (schema.isMapSchema()) {
    const entries = Object.entries(value as Fields).map(([key, item]) =>
      element('entry', element('key', escapeXml(key)) + toXml('value', item, schema.getValueSchema())),
    );
    return element(name, entries.join(''));
  }
  return element(name, escapeXml(writeText(value, schema, 'xml')));
}

/** The members that go into the body; those bound to headers or the status are written elsewhere. */
export function structContent(value: Fields, schema: NormalizedSchema): string {
  return members(schema)
    .filter(([, , traits]) => !traits.httpHeader && !traits.httpPrefixHeaders && !traits.httpResponseCode)
    .map(([name, member, traits]) => toXml(traits.xmlName ?? name, value[name], member))
    .join('');
}

export function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

const references: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** Line ends are written as references too, because a parser may normalise them. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r\n]/g, (found) => references[found] ?? `&#${found.charCodeAt(0)};`);
}
