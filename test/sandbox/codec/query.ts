import type { NormalizedSchema } from '@smithy/core/schema';
import { members } from './shapes.ts';
import { type Fields, readText } from './values.ts';

interface Node {
  text?: string;
  children: Map<string, Node>;
}

/** Reads `Tags.member.1.Key=a&Tags.member.1.Value=b` by the operation's input schema. */
export function fromQuery(parameters: URLSearchParams, schema: NormalizedSchema): unknown {
  const root: Node = { children: new Map() };
  for (const [path, text] of parameters) {
    let node = root;
    for (const part of path.split('.')) {
      const next = node.children.get(part) ?? { children: new Map<string, Node>() };
      node.children.set(part, next);
      node = next;
    }
    node.text = text;
  }
  return read(root, schema);
}

function read(node: Node, schema: NormalizedSchema): unknown {
  if (schema.isStructSchema()) {
    const found: Fields = {};
    for (const [name, member, traits] of members(schema)) {
      const child = node.children.get(traits.xmlName ?? name);
      if (child) found[name] = read(child, member);
    }
    return found;
  }
  const flattened = schema.getMergedTraits().xmlFlattened;
  if (schema.isListSchema()) {
    const item = schema.getValueSchema();
    const list = flattened ? node : node.children.get(item.getMergedTraits().xmlName ?? 'member');
    return numbered(list).map((child) => read(child, item));
  }
  if (schema.isMapSchema()) {
    const keyName = schema.getKeySchema().getMergedTraits().xmlName ?? 'key';
    const valueName = schema.getValueSchema().getMergedTraits().xmlName ?? 'value';
    const entries = numbered(flattened ? node : node.children.get('entry')).map((entry) => [
      entry.children.get(keyName)?.text ?? '',
      read(entry.children.get(valueName) ?? { children: new Map() }, schema.getValueSchema()),
    ]);
    return Object.fromEntries(entries) as Fields;
  }
  return readText(node.text ?? '', schema);
}

function numbered(list: Node | undefined): Node[] {
  const entries = [...(list?.children ?? [])].filter(([index]) => /^\d+$/.test(index));
  return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, child]) => child);
}
