import { isDeepStrictEqual } from 'node:util';
import { KubernetesFailure } from './failure.ts';
import { copyOf, isRecord } from './objects.ts';

/** RFC 7386: null removes, maps merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const merged: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, key);
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** Like a merge patch, but lists whose items carry names (containers, volumes, env) merge by them. */
export function strategicMergePatch(target: unknown, patch: unknown): unknown {
  if (Array.isArray(patch) && Array.isArray(target) && isNamed(patch) && isNamed(target)) {
    const known = target.map((item) => {
      const change = patch.find(({ name }) => name === item.name);
      return change ? strategicMergePatch(item, change) : item;
    });
    return [...known, ...patch.filter(({ name }) => !target.some((item) => item.name === name))];
  }
  if (!isRecord(patch)) return patch;
  const merged: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) throw rejected(`the sandbox does not know the patch directive ${key}`);
    if (value === null) Reflect.deleteProperty(merged, key);
    else merged[key] = strategicMergePatch(merged[key], value);
  }
  return merged;
}

function isNamed(list: unknown[]): list is Record<string, unknown>[] {
  return list.every((item) => isRecord(item) && typeof item.name === 'string');
}

interface PatchOperation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

/** RFC 6902. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw rejected('a JSON patch is a list');
  const root = { document: copyOf(target) };
  for (const { op, path, from = '', value } of operations as PatchOperation[]) {
    switch (op) {
      case 'test':
        if (!isDeepStrictEqual(read(root, path), value)) throw rejected(`testing value ${path} failed`);
        break;
      case 'add':
        write(root, path, value, true);
        break;
      case 'replace':
        read(root, path);
        write(root, path, value, false);
        break;
      case 'remove':
        remove(root, path);
        break;
      case 'copy':
        write(root, path, copyOf(read(root, from)), true);
        break;
      case 'move': {
        const moved = read(root, from);
        remove(root, from);
        write(root, path, moved, true);
        break;
      }
      default:
        throw rejected(`Unexpected kind: ${op}`);
    }
  }
  return root.document;
}

type Container = Record<string, unknown> | unknown[];

function locate(root: { document: unknown }, pointer: string): [Container, string] {
  if (pointer !== '' && !pointer.startsWith('/')) throw rejected(`the path ${pointer} is no JSON pointer`);
  const keys = ['document', ...pointer.split('/').slice(1)].map((key) =>
    key.replaceAll('~1', '/').replaceAll('~0', '~'),
  );
  const last = keys.pop() ?? '';
  let container: unknown = root;
  for (const key of keys) container = isContainer(container) ? (container as Record<string, unknown>)[key] : undefined;
  if (!isContainer(container)) throw rejected(`doc is missing path: ${pointer}: missing value`);
  return [container, last];
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function read(root: { document: unknown }, pointer: string): unknown {
  const [container, key] = locate(root, pointer);
  if (!Object.hasOwn(container, key)) throw rejected(`doc is missing key: ${pointer}: missing value`);
  return (container as Record<string, unknown>)[key];
}

function write(root: { document: unknown }, pointer: string, value: unknown, inserts: boolean): void {
  const [container, key] = locate(root, pointer);
  if (Array.isArray(container)) {
    const index = key === '-' ? container.length : Number(key);
    if (!(index >= 0 && index <= container.length)) throw rejected(`invalid array index: ${pointer}`);
    container.splice(index, inserts ? 0 : 1, value);
  } else container[key] = value;
}

function remove(root: { document: unknown }, pointer: string): void {
  read(root, pointer);
  const [container, key] = locate(root, pointer);
  if (Array.isArray(container)) container.splice(Number(key), 1);
  else Reflect.deleteProperty(container, key);
}

function rejected(why: string): KubernetesFailure {
  return new KubernetesFailure(422, 'Invalid', 'the server rejected our request due to an error in our request', {
    causes: [{ reason: 'UnexpectedServerResponse', message: why }],
  });
}
