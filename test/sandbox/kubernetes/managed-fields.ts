import { isDeepStrictEqual } from 'node:util';
import { KubernetesFailure } from './failure.ts';
import {
  apiVersionOf,
  copyOf,
  isRecord,
  type KubernetesObject,
  type ManagedFields,
  omit,
  type ResourceType,
} from './objects.ts';

type Path = readonly string[];

interface Owner {
  manager: string;
  operation: 'Apply' | 'Update';
  time: string;
  paths: Path[];
}

interface Writer {
  manager: string;
  /** Kubernetes shows whole seconds. */
  time: string;
}

/** After a plain write, the writer owns the fields that it changed. A list counts as one field. */
export function recordUpdate(
  type: ResourceType,
  before: KubernetesObject | undefined,
  after: KubernetesObject,
  writer: Writer,
): void {
  const kept = fieldPaths(after);
  const changed = kept.filter((path) => !isDeepStrictEqual(valueAt(before, path), valueAt(after, path)));
  const owners = ownersOf(before);
  for (const owner of owners) owner.paths = without(intersect(owner.paths, kept), changed);
  const own = owners.find(({ manager, operation }) => manager === writer.manager && operation === 'Update');
  if (own) Object.assign(own, { paths: [...own.paths, ...changed], time: writer.time });
  else if (changed.length > 0) owners.push({ ...writer, operation: 'Update', paths: changed });
  after.metadata.managedFields = rendered(type, owners);
}

/**
 * Server-side apply: sets the fields that the manager applies, removes fields that it applied before and now omits. A field that another
 * manager owns with another value is a conflict unless forced.
 */
export function applyFields(
  type: ResourceType,
  before: KubernetesObject | undefined,
  applied: KubernetesObject,
  { force, ...writer }: Writer & { force: boolean },
): KubernetesObject {
  const owners = ownersOf(before);
  const isOwn = ({ manager, operation }: Owner) => manager === writer.manager && operation === 'Apply';
  const own = owners.find(isOwn);
  const others = owners.filter((owner) => !isOwn(owner));
  const paths = fieldPaths(applied);
  const differing = paths.filter((path) => !isDeepStrictEqual(valueAt(before, path), valueAt(applied, path)));

  const conflicts = others.flatMap((owner) => intersect(owner.paths, differing).map((path) => ({ owner, path })));
  if (conflicts.length > 0 && !force) throw applyConflict(type, conflicts);
  for (const owner of others) owner.paths = without(owner.paths, differing);

  const merged = copyOf(before ?? applied) as unknown as Record<string, unknown>;
  for (const path of without(own?.paths ?? [], paths))
    if (!others.some((owner) => intersect(owner.paths, [path]).length > 0)) setAt(merged, path, undefined);
  for (const path of paths) setAt(merged, path, valueAt(applied, path));
  const after = merged as unknown as KubernetesObject;
  after.metadata.managedFields = rendered(type, [...others, { ...writer, operation: 'Apply', paths }]);
  return after;
}

function applyConflict(type: ResourceType, conflicts: { owner: Owner; path: Path }[]): KubernetesFailure {
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with "${owner.manager}" using ${apiVersionOf(type)}`,
    field: `.${path.join('.')}`,
  }));
  const [plural, list] = [
    causes.length === 1 ? 'conflict' : 'conflicts',
    causes.map((cause) => `${cause.message}: ${cause.field}`),
  ];
  return new KubernetesFailure(409, 'Conflict', `Apply failed with ${causes.length} ${plural}: ${list.join('\n')}`, {
    causes,
  });
}

function fieldPaths(object: KubernetesObject): Path[] {
  const { labels, annotations, ownerReferences } = object.metadata;
  return leaves({
    ...omit(object, 'apiVersion', 'kind', 'status'),
    metadata: {
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(ownerReferences && { ownerReferences }),
    },
  });
}

function leaves(value: unknown, path: Path = []): Path[] {
  if (!isRecord(value)) return value === undefined ? [] : [path];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]));
}

function valueAt(object: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), object);
}

function setAt(object: Record<string, unknown>, path: Path, value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    if (value === undefined) Reflect.deleteProperty(object, key);
    else object[key] = value;
    return;
  }
  const inner = isRecord(object[key]) ? object[key] : {};
  object[key] = inner;
  setAt(inner, rest, value);
}

const idOf = (path: Path) => JSON.stringify(path);

function intersect(paths: readonly Path[], others: readonly Path[]): Path[] {
  const ids = new Set(others.map(idOf));
  return paths.filter((path) => ids.has(idOf(path)));
}

function without(paths: readonly Path[], others: readonly Path[]): Path[] {
  const ids = new Set(others.map(idOf));
  return paths.filter((path) => !ids.has(idOf(path)));
}

function ownersOf(object: KubernetesObject | undefined): Owner[] {
  return (object?.metadata.managedFields ?? []).map(({ manager, operation, time, fieldsV1 }) => ({
    manager,
    operation,
    time,
    paths: leafFields(fieldsV1),
  }));
}

function leafFields(fields: Record<string, unknown>, path: Path = []): Path[] {
  return Object.entries(fields).flatMap(([key, inner]) => {
    const here = [...path, key.slice('f:'.length)];
    return isRecord(inner) && Object.keys(inner).length > 0 ? leafFields(inner, here) : [here];
  });
}

function rendered(type: ResourceType, owners: readonly Owner[]): ManagedFields[] {
  return owners
    .filter(({ paths }) => paths.length > 0)
    .map(({ manager, operation, time, paths }) => {
      const fieldsV1: Record<string, unknown> = {};
      for (const path of paths)
        setAt(
          fieldsV1,
          path.map((key) => `f:${key}`),
          {},
        );
      return { manager, operation, apiVersion: apiVersionOf(type), time, fieldsType: 'FieldsV1', fieldsV1 };
    });
}
