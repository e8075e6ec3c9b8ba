import { type Placeholders, resolvePath, valueAt } from './evaluate.ts';
import type { Action, Operand, Path } from './expressions.ts';
import { invalid, type Item, typeOf, type Value } from './values.ts';

const wrongType = () => invalid('An operand in the update expression has an incorrect data type');
const setTypes = ['SS', 'NS', 'BS'] as const;

/** The item after the actions. All actions read the original item, which is not changed. */
export function applyUpdate(item: Item, actions: readonly Action[], placeholders: Placeholders): Item {
  const paths = actions.map(({ path }) => resolvePath(path, placeholders));
  const values = actions.map((action) =>
    action.kind === 'remove' ? undefined : evaluate(action.value, item, placeholders),
  );
  const updated: Value = { M: { ...item } };
  // List members are removed last and together, so that the indexes of other actions stay valid.
  const lists = new Set<Value>();
  for (const [index, action] of actions.entries()) {
    const path = paths[index] ?? [];
    const parent = ownParent(updated, path);
    const part = path.at(-1) ?? '';
    const before = valueAt(updated.M ?? {}, path);
    const value = values[index];
    const after = action.kind === 'set' ? value : value && combined(action.kind, before, value);
    if (typeof part === 'number') setMember(parent, part, after, lists);
    else if (after) (parent.M ??= {})[part] = after;
    else Reflect.deleteProperty(parent.M ?? {}, part);
  }
  for (const list of lists) list.L = (list.L ?? []).filter((member) => member !== removed);
  return updated.M ?? {};
}

const removed: Value = {};

function setMember(parent: Value, index: number, value: Value | undefined, lists: Set<Value>): void {
  const members = (parent.L ??= []);
  if (value && index >= members.length) members.push(value);
  else if (value) members[index] = value;
  else if (index < members.length) {
    members[index] = removed;
    lists.add(parent);
  }
}

/** A copy of the map or list that contains the path's last part. */
function ownParent(root: Value, path: Path): Value {
  let parent = root;
  for (const part of path.slice(0, -1)) {
    const child = typeof part === 'number' ? parent.L?.[part] : parent.M?.[part];
    if (!child) throw noPlace();
    const copy: Value = child.M ? { M: { ...child.M } } : child.L ? { L: [...child.L] } : child;
    if (typeof part === 'number' && parent.L) parent.L[part] = copy;
    else if (parent.M) parent.M[part] = copy;
    parent = copy;
  }
  if (typeof path.at(-1) === 'number' ? !parent.L : !parent.M) throw noPlace();
  return parent;
}

function noPlace(): Error {
  return invalid('The document path provided in the update expression is invalid for update');
}

/** The result of ADD or DELETE; undefined if nothing is left. */
function combined(kind: 'add' | 'delete' | 'remove', before: Value | undefined, value: Value): Value | undefined {
  if (kind === 'add' && value.N !== undefined) {
    if (before && before.N === undefined) throw wrongType();
    return { N: String(Number(before?.N ?? 0) + Number(value.N)) };
  }
  const type = setTypes.find((name) => value[name]);
  if (!type)
    throw invalid(
      `Incorrect operand type for operator or function; operator: ${kind.toUpperCase()}, operand type: ${typeOf(value)}`,
    );
  if (before && !before[type]) throw wrongType();
  const [have = [], given = []] = [before?.[type], value[type]];
  const members =
    kind === 'add'
      ? [...have, ...given.filter((member) => !have.includes(member))]
      : have.filter((member) => !given.includes(member));
  return members.length > 0 ? { [type]: members } : undefined;
}

function evaluate(operand: Operand, item: Item, placeholders: Placeholders): Value {
  const read = (inner: Operand | undefined) => {
    if (!inner) throw wrongType();
    return evaluate(inner, item, placeholders);
  };
  switch (operand.kind) {
    case 'value':
      return placeholders.values[operand.name] ?? {};
    case 'path': {
      const found = valueAt(item, resolvePath(operand.path, placeholders));
      if (!found) throw invalid('The provided expression refers to an attribute that does not exist in the item');
      return found;
    }
    case 'call': {
      const [first, second] = operand.args;
      if (operand.name === 'if_not_exists') {
        if (first?.kind !== 'path')
          throw invalid('Operator or function requires a document path; operator or function: if_not_exists');
        return valueAt(item, resolvePath(first.path, placeholders)) ?? read(second);
      }
      const [left, right] = [read(first), read(second)];
      if (operand.name === 'list_append') {
        if (!left.L || !right.L) throw wrongType();
        return { L: [...left.L, ...right.L] };
      }
      if (operand.name !== '+' && operand.name !== '-')
        throw invalid(`Invalid function name; function: ${operand.name}`);
      if (left.N === undefined || right.N === undefined) throw wrongType();
      return { N: String(Number(left.N) + (operand.name === '+' ? 1 : -1) * Number(right.N)) };
    }
  }
}

/** Two actions must not change the same path. */
export function checkOverlap(actions: readonly Action[], placeholders: Placeholders): void {
  const paths = actions.map(({ path }) => resolvePath(path, placeholders));
  const shown = (path: Path) => `[${path.map((part) => (typeof part === 'number' ? `[${part}]` : part)).join(', ')}]`;
  for (const [index, path] of paths.entries())
    for (const earlier of paths.slice(0, index)) {
      const shared = Math.min(path.length, earlier.length);
      if (path.slice(0, shared).every((part, at) => part === earlier[at]))
        throw invalid(
          `Two document paths overlap with each other; must remove or rewrite one of these paths; path one: ${shown(earlier)}, path two: ${shown(path)}`,
        );
    }
}
