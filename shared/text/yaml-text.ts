/** Comments above keys, by the path of the key with its parts joined by dots. */
type Comments = Readonly<Record<string, string>>;

/**
 * JSON-like data as YAML, with comments. We do not use the yaml package: it makes the bundle of an API function a third larger, and
 * a bundler cannot remove its unused parts, because for Node it is CommonJS.
 */
export function writeYaml(value: object, comments: Comments = {}): string {
  return `${linesOf(value, '', comments).join('\n')}\n`;
}

function linesOf(value: object, path: string, comments: Comments): string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => itemLines(item, path, comments));
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .flatMap(([key, item]: [string, unknown]) => {
      const below = path ? `${path}.${key}` : key;
      const comment = (comments[below] ?? '').split('\n').filter(Boolean);
      const lines = isNested(item)
        ? [`${scalar(key)}:`, ...indented(linesOf(item, below, comments))]
        : [`${scalar(key)}: ${scalar(item)}`];
      return [...comment.map((line) => `# ${line}`), ...lines];
    });
}

function itemLines(item: unknown, path: string, comments: Comments): string[] {
  const lines = isNested(item) ? linesOf(item, path, comments) : [scalar(item)];
  return lines.map((line, index) => (index === 0 ? `- ${line}` : `  ${line}`));
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function indented(lines: string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** Unquoted only if every version of YAML reads it as a string; otherwise JSON, which is valid YAML. */
function scalar(value: unknown): string {
  const plain =
    typeof value === 'string' &&
    /^[A-Za-z][\w./:-]*$/.test(value) &&
    !value.endsWith(':') &&
    !/^(true|false|yes|no|on|off|null|y|n)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}
