import { readFileSync } from 'node:fs';
import { AwsError } from '../../service.ts';

/** Names of the properties of a resource type; an empty object has any. */
export interface PropertyNames {
  [name: string]: PropertyNames;
}

/** From CloudFormation's specification; the test of this service compares and writes the file. */
const namesByType = JSON.parse(readFileSync(new URL('property-names.json', import.meta.url), 'utf8')) as Record<
  string,
  PropertyNames
>;

/** CloudFormation refuses properties that it does not know, at any depth. */
export function checkProperties({
  type,
  logicalId,
  properties,
}: {
  type: string;
  logicalId: string;
  properties: object;
}): void {
  const names = namesByType[type];
  const problems = names ? unknownNames(properties, names, '#') : [];
  if (problems.length > 0)
    throw new AwsError(
      'InvalidRequest',
      `Properties validation failed for resource ${logicalId} with message:\n[${problems.join(', ')}]`,
      400,
    );
}

function unknownNames(value: unknown, names: PropertyNames, path: string): string[] {
  if (Object.keys(names).length === 0 || typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => unknownNames(item, names, `${path}/${index}`));
  return Object.entries(value).flatMap(([name, item]) => {
    const known = Object.hasOwn(names, name) ? names[name] : undefined;
    return known
      ? unknownNames(item, known, `${path}/${name}`)
      : [`${path}: extraneous key [${name}] is not permitted`];
  });
}
