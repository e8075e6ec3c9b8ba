import type { PolicyRule } from './rules.ts';

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const view: PolicyRule[] = [
  {
    apiGroups: ['apps'],
    resources: [
      'deployments',
      'deployments/scale',
      'deployments/status',
      'statefulsets',
      'statefulsets/scale',
      'statefulsets/status',
    ],
    verbs: read,
  },
  { apiGroups: [''], resources: ['configmaps', 'pods', 'serviceaccounts', 'services', 'services/status'], verbs: read },
  { apiGroups: [''], resources: ['events', 'namespaces', 'namespaces/status', 'pods/log', 'pods/status'], verbs: read },
];

const edit: PolicyRule[] = [
  ...view,
  {
    apiGroups: ['apps'],
    resources: ['deployments', 'deployments/scale', 'statefulsets', 'statefulsets/scale'],
    verbs: write,
  },
  {
    apiGroups: [''],
    resources: ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'],
    verbs: read,
  },
  {
    apiGroups: [''],
    resources: ['configmaps', 'secrets', 'serviceaccounts', 'services', 'services/proxy'],
    verbs: write,
  },
  { apiGroups: [''], resources: ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'], verbs: write },
  { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['impersonate'] },
];

const admin: PolicyRule[] = [
  ...edit,
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: [...read, ...write] },
  { apiGroups: ['authorization.k8s.io'], resources: ['localsubjectaccessreviews'], verbs: ['create'] },
];

const clusterAdmin: PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

/** The permissions of EKS access policies for resources of the sandbox [EKS user guide, "Review access policy permissions"]. */
export const accessPolicies: Record<string, PolicyRule[]> = Object.fromEntries(
  Object.entries({
    AmazonEKSClusterAdminPolicy: clusterAdmin,
    AmazonEKSAdminPolicy: admin,
    AmazonEKSAdminViewPolicy: [{ apiGroups: ['*'], resources: ['*'], verbs: read }],
    AmazonEKSEditPolicy: edit,
    AmazonEKSViewPolicy: view,
  }).map(([name, rules]) => [`arn:aws:eks::aws:cluster-access-policy/${name}`, rules]),
);

/** The default roles of every cluster; unlike EKS's Edit policy, `edit` may request tokens. */
export const userFacingRoles: Record<string, PolicyRule[]> = {
  'cluster-admin': clusterAdmin,
  admin: [...admin, { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] }],
  edit: [...edit, { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] }],
  view,
};
