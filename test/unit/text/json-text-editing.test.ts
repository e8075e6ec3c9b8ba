import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applySplice,
  findDuplicateKey,
  type JsonArray,
  type JsonNode,
  nodeAt,
  NotJsonError,
  removeItem,
  scanJson,
} from '../../../shared/text/json-text-editing.ts';
import {
  appendItem,
  appendMember,
  newDocument,
  replaceNode,
  writeDraft,
} from '../../../shared/text/json-text-layout.ts';
import { spacedJson } from '../../support/json-arbitrary.ts';

const draft = {
  members: [['name', '"n"'] as [string, string], ['inner', { items: ['1'] }] as [string, { items: string[] }]],
};

function arrayAt(root: JsonNode, ...path: (string | number)[]): JsonArray {
  const node = nodeAt(root, path);
  if (node?.kind !== 'array') throw new Error('no array there');
  return node;
}

function appended(text: string, ...path: (string | number)[]): string {
  const root = scanJson(text);
  return applySplice(text, appendItem(text, root, arrayAt(root, ...path), draft));
}

describe('scanJson', () => {
  it('finds the exact text of each value', () => {
    fc.assert(
      fc.property(spacedJson(fc.jsonValue()), ({ text }) => {
        const check = (node: JsonNode): void => {
          const value: unknown = JSON.parse(text.slice(node.start, node.end));
          if (node.kind === 'scalar') expect(node.value).toEqual(value);
          else if (node.kind === 'array') expect(node.children).toHaveLength((value as unknown[]).length);
          else expect(new Set(node.children.map(({ key }) => key))).toEqual(new Set(Object.keys(value as object)));
          if (node.kind === 'array') node.children.forEach(check);
          if (node.kind === 'object')
            node.children.forEach((member) => {
              check(member.value);
            });
        };
        check(scanJson(text));
      }),
    );
  });

  it.each([
    ['', 'is empty'],
    [' \r\n', 'is empty'],
    ['\uFEFF{}', 'starts with a byte order mark'],
    ['{"a": 1,}', 'is not JSON at line 1, column 9'],
    ['{\r\n  "a": 1\r\n} x', 'is not JSON at line 3, column 3'],
    ['{} // comment', 'is not JSON at line 1, column 4'],
  ])('refuses %j and says where', (text, message) => {
    expect(() => scanJson(text)).toThrow(new NotJsonError(message));
  });

  it('does not quote invalid text, because it may contain a credential', () => {
    const error = (() => {
      try {
        return scanJson('{"secret": hunter2}');
      } catch (caught) {
        return String(caught);
      }
    })();
    expect(error).not.toContain('hunter2');
    expect(error).not.toContain('secret');
  });

  it('refuses nesting that is too deep', () => {
    expect(() => scanJson('['.repeat(100_000) + ']'.repeat(100_000))).toThrow('nested more than 100 levels deep');
  });

  it.each([
    ['{"a":1,"a":2}', '/a'],
    ['{"a":{"b~/":[{"c":1},{"c":1,"\\u0063":2}]}}', '/a/b~0~1/1/c'],
    ['{"a":1,"A":2,"b":{"a":1}}', undefined],
  ])('finds in %s the duplicate %s', (text, duplicate) => {
    expect(findDuplicateKey(scanJson(text))).toBe(duplicate);
  });
});

describe('an append', () => {
  it.each([
    ['[]', '[\n  {\n    "name": "n",\n    "inner": [\n      1\n    ]\n  }\n]'],
    ['[{"a":1}]', '[{"a":1},{"name":"n","inner":[1]}]'],
    ['[{ "a": 1 }, { "a": 2 }]', '[{ "a": 1 }, { "a": 2 }, { "name": "n", "inner": [ 1 ] }]'],
    [
      '[\n\t{\n\t\t"a" : 1\n\t}\n]\n',
      '[\n\t{\n\t\t"a" : 1\n\t},\n\t{\n\t\t"name" : "n",\n\t\t"inner" : [\n\t\t\t1\n\t\t]\n\t}\n]\n',
    ],
    ['[\r\n {"a": 1}\r\n]', '[\r\n {"a": 1},\r\n {"name": "n", "inner": [1]}\r\n]'],
    ['[{\r\n   "a": 1\r\n}]', '[{\r\n   "a": 1\r\n},{\r\n   "name": "n",\r\n   "inner": [\r\n      1\r\n   ]\r\n}]'],
    ['[\n  {}\n]', '[\n  {},\n  {\n    "name": "n",\n    "inner": [\n      1\n    ]\n  }\n]'],
  ])('imitates the neighbours in %j', (before, after) => {
    expect(appended(before)).toBe(after);
  });

  it('indents an element in an empty list like the document', () => {
    expect(appended('{\n   "list": []\n}', 'list')).toBe(
      '{\n   "list": [\n      {\n         "name": "n",\n         "inner": [\n            1\n         ]\n      }\n   ]\n}',
    );
    expect(appended('{"list":[ ],"x":1}', 'list')).toBe('{"list":[{"name":"n","inner":[1]}],"x":1}');
  });

  it('adds a member after the last member', () => {
    const add = (text: string) => {
      const root = scanJson(text);
      return root.kind === 'object' ? applySplice(text, appendMember(text, root, root, 'k', { items: ['1'] })) : '';
    };
    expect(add('{}')).toBe('{\n  "k": [\n    1\n  ]\n}');
    expect(add('{"a":1}')).toBe('{"a":1,"k":[1]}');
    expect(add('{\r\n\t"a": []\r\n}')).toBe('{\r\n\t"a": [],\r\n\t"k": [\r\n\t\t1\r\n\t]\r\n}');
  });
});

describe('a replacement or removal', () => {
  it('keeps the style of the replaced value', () => {
    const text = '{"a" : {"b": 1}, "c": [\n  {\n    "d":2\n  }\n]}';
    const root = scanJson(text);
    const [first, second] = [nodeAt(root, ['a']), nodeAt(root, ['c', 0])];
    if (!first || !second) throw new Error('not found');
    expect(applySplice(text, replaceNode(text, root, first, draft))).toContain(
      '"a" : {"name": "n", "inner": [1]}, "c"',
    );
    expect(applySplice(text, replaceNode(text, root, second, { members: [['e', '3']] }))).toContain(
      '"c": [\n  {\n    "e":3\n  }\n]}',
    );
  });

  it('restores the original text when it undoes an append', () => {
    fc.assert(
      fc.property(spacedJson(fc.array(fc.jsonValue(), { minLength: 1 })), ({ text }) => {
        const after = appended(text);
        const list = arrayAt(scanJson(after));
        expect(JSON.parse(after)).toEqual([...(JSON.parse(text) as unknown[]), { name: 'n', inner: [1] }]);
        expect(applySplice(after, removeItem(list, list.children.length - 1))).toBe(text);
      }),
    );
  });

  it('removes one element and nothing else', () => {
    fc.assert(
      fc.property(spacedJson(fc.array(fc.jsonValue(), { minLength: 1 })), fc.nat(), ({ text }, pick) => {
        const list = arrayAt(scanJson(text));
        const index = pick % list.children.length;
        const rest: unknown = JSON.parse(applySplice(text, removeItem(list, index)));
        expect(rest).toEqual((JSON.parse(text) as unknown[]).toSpliced(index, 1));
      }),
    );
  });

  it('writes empty lists and objects without spaces', () => {
    expect(writeDraft({ items: [] }, newDocument)).toBe('[]');
    expect(writeDraft({ members: [] }, newDocument)).toBe('{}');
  });
});
