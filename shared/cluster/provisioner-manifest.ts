import { writeYaml } from '../text/yaml-text.ts';
import { namespaceObject, roleBindingObject, roleObject } from './namespace-objects.ts';
import { type RoleScope, rulesFor } from './provisioner-role.ts';

/** What a cluster's owner applies instead of letting us: namespace, Role and RoleBinding. */
export function renderClusterManifest(scope: RoleScope): string {
  const objects = [
    namespaceObject(scope.namespace, undefined),
    roleObject(scope.namespace, rulesFor(scope), undefined),
    roleBindingObject(scope.namespace, undefined),
  ];
  return objects.map((object) => writeYaml(object)).join('---\n');
}
