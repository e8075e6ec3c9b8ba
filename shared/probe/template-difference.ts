import { createHash } from 'node:crypto';
import { parseDocument, type ScalarTag } from 'yaml';
import { knownPaths } from './known-template.ts';

const shortTags: ScalarTag[] = ['!Ref', '!Sub', '!GetAtt'].map((tag) => ({ tag, resolve: (text) => `${tag} ${text}` }));

/** How a delivered template differs from the newest public copy, and the values that decide whether it can be deployed. */
export function templateDifference(text: string): { added: string[]; missing: string[]; values: string[] } {
  const values = new Map<string, Set<string>>();
  collect(parseDocument(text, { customTags: shortTags, logLevel: 'silent' }).toJS(), '', values);
  const paths = [...values.keys()];
  return {
    added: paths.filter((path) => !knownPaths.has(path)).map((path) => `${path} = ${valuesOf(values, path)}`),
    missing: [...knownPaths].filter((path) => !values.has(path)),
    values: paths.filter((path) => telling.test(path)).map((path) => `${path} = ${valuesOf(values, path)}`),
  };
}

/** Runtime, limits, rights and code of what the template makes. */
const telling =
  /(Runtime|Timeout|ReservedConcurrentExecutions|ManagedPolicyArns\[\]|Action\[\]|ZipFile|Behavior|Exclusions\[\])$/;

function valuesOf(values: Map<string, Set<string>>, path: string): string {
  return [...(values.get(path) ?? [])].join(' ');
}

/** `Resources.AWSCURCrawler.Properties.Targets.S3Targets[].Path`: items of a list share a path. */
function collect(value: unknown, path: string, into: Map<string, Set<string>>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, `${path}[]`, into);
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) collect(item, path ? `${path}.${key}` : key, into);
  else into.set(path, (into.get(path) ?? new Set()).add(shown(String(value))));
}

/** Code and long texts are shown by their length and hash. */
function shown(text: string): string {
  if (text.length <= 100) return text;
  return `${text.length} characters, ${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}
