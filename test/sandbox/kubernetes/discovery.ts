import { apiVersionOf, resourceTypes } from './objects.ts';

const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update'];
const groups = [...new Set(resourceTypes.filter(({ group }) => group).map(({ group }) => group))];

/** The discovery document that kubectl requests first; undefined for other paths. */
export function discoveryDocument(path: string, version: string): object | undefined {
  switch (path) {
    case '/version': {
      const [major = '', minor = ''] = version.split('.');
      const gitVersion = `v${version}.0-eks-sandbox`;
      return { major, minor, gitVersion, gitTreeState: 'clean', platform: 'linux/amd64' };
    }
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupOf) };
  }
  const types = resourceTypes.filter((type) => path === `/${type.group ? 'apis' : 'api'}/${apiVersionOf(type)}`);
  const [type] = types;
  if (!type) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(type),
    resources: types.map(({ kind, resource, namespaced, shortName }) => ({
      name: resource,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs,
      ...(shortName !== undefined && { shortNames: [shortName] }),
    })),
  };
}

function groupOf(name: string): object {
  const version = { groupVersion: `${name}/v1`, version: 'v1' };
  return { name, versions: [version], preferredVersion: version };
}
