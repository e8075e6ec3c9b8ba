import * as fc from 'fast-check';

/** A value and one spelling of it: random white space and needless escapes. */
export function spacedJson<T>(value: fc.Arbitrary<T>): fc.Arbitrary<{ value: T; text: string }> {
  const space = fc.constantFrom('', '', ' ', '\n', '\r\n', '\n  ', '\t', ' \n\t ');
  return fc
    .tuple(value, fc.infiniteStream(space), fc.infiniteStream(fc.integer({ min: 0, max: 9 })))
    .map(([chosen, spaces, dice]) => ({ value: chosen, text: writeSpaced(chosen, spaces, dice) }));
}

function writeSpaced(value: unknown, spaces: Iterator<string, unknown>, dice: Iterator<number, unknown>): string {
  const space = () => String(spaces.next().value);
  const string = (text: string) =>
    JSON.stringify(text).replaceAll(/[A-Za-z/]/g, (character, offset: number, all: string) => {
      if (/\\(u[0-9a-fA-F]{0,3})?$/.test(all.slice(0, offset)) || dice.next().value !== 0) return character;
      return character === '/' ? '\\/' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });
  const write = (item: unknown): string => {
    if (typeof item === 'string') return string(item);
    if (Array.isArray(item)) {
      const items = item.map((child) => space() + write(child) + space());
      return `[${items.length === 0 ? space() : items.join(',')}]`;
    }
    if (typeof item === 'object' && item !== null) {
      const members = Object.entries(item).map(
        ([key, child]) => `${space()}${string(key)}${space()}:${space()}${write(child)}${space()}`,
      );
      return `{${members.length === 0 ? space() : members.join(',')}}`;
    }
    return JSON.stringify(item);
  };
  return space() + write(value) + space();
}
