export interface PolicyRule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

export type Attributes =
  | { verb: string; group: string; resource: string; subresource?: string; namespace?: string; name?: string }
  | { verb: string; path: string };

export function ruleAllows(rule: PolicyRule, asked: Attributes): boolean {
  if (!has(rule.verbs, asked.verb)) return false;
  if ('path' in asked)
    return (rule.nonResourceURLs ?? []).some((url) =>
      url.endsWith('*') ? asked.path.startsWith(url.slice(0, -1)) : url === asked.path,
    );
  return has(rule.apiGroups, asked.group) && coversResource(rule.resources, asked) && coversName(rule, asked.name);
}

function has(values: string[] = [], value: string): boolean {
  return values.includes('*') || values.includes(value);
}

function coversResource(resources: string[] = [], asked: { resource: string; subresource?: string }): boolean {
  const { resource, subresource } = asked;
  if (subresource === undefined) return has(resources, resource);
  return has(resources, `${resource}/${subresource}`) || resources.includes(`*/${subresource}`);
}

/** A request without a name (create, list) is never covered by a rule that names its objects. */
function coversName({ resourceNames = [] }: PolicyRule, name: string | undefined): boolean {
  return resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name));
}

/** Whether everything `wanted` grants is granted by some rule of `held`. */
export function coversRule(held: readonly PolicyRule[], wanted: PolicyRule): boolean {
  const combinations = wanted.nonResourceURLs?.length
    ? wanted.verbs.flatMap((verb) => wanted.nonResourceURLs?.map((path) => ({ verb, path })) ?? [])
    : wanted.verbs.flatMap((verb) => resourcesOf(wanted).map((resource) => ({ verb, ...resource })));
  return combinations.every((asked) => held.some((rule) => ruleAllows(rule, asked)));
}

function resourcesOf({ apiGroups = [], resources = [], resourceNames = [] }: PolicyRule) {
  const names = resourceNames.length === 0 ? [{}] : resourceNames.map((name) => ({ name }));
  return apiGroups.flatMap((group) =>
    resources.flatMap((path) => {
      const [resource = '', subresource] = path.split('/');
      return names.map((name) => ({ group, resource, ...(subresource !== undefined && { subresource }), ...name }));
    }),
  );
}
