import type { World } from '../world.ts';
import { userFacingRoles } from './access-policies.ts';
import { Admission } from './admission.ts';
import { ApiServer } from './api-server.ts';
import { Authorizer, type User } from './authorize.ts';
import { startControllers } from './controllers.ts';
import { admitted } from './kinds.ts';
import { kubecostObjects, type KubecostInstallation } from './kubecost.ts';
import { Kubelet } from './kubelet.ts';
import { typeOfKind, type KubernetesObject, type SeedObject } from './objects.ts';
import { Pace } from './pace.ts';
import { ResourceApi } from './resource-api.ts';
import { ServiceAccountTokens } from './service-account-tokens.ts';
import { ObjectStore } from './store.ts';
import { Workloads } from './workloads.ts';

interface KubernetesOptions {
  accountId: string;
  version: string;
  issuer: string;
  reachable: boolean;
  authenticate: (token: string) => User | undefined;
}

/** What runs behind an EKS cluster's endpoint. */
export class Kubernetes {
  readonly store: ObjectStore;
  readonly admission: Admission;
  readonly tokens: ServiceAccountTokens;
  readonly workloads: Workloads;
  readonly kubelet: Kubelet;
  readonly #pace: Pace;
  readonly #server: ApiServer;

  private constructor(world: World, store: ObjectStore, tokens: ServiceAccountTokens, options: KubernetesOptions) {
    const now = () => world.clock.now();
    const authorizer = new Authorizer(store);
    this.store = store;
    this.tokens = tokens;
    this.admission = new Admission();
    this.#pace = new Pace(world.clock);
    this.kubelet = new Kubelet(store, this.#pace);
    this.workloads = new Workloads(store, this.kubelet, now);
    const { accountId, version, reachable, authenticate } = options;
    this.#server = new ApiServer(world, {
      accountId,
      version,
      reachable,
      authenticate,
      authorizer,
      tokens,
      workloads: this.workloads,
      resources: new ResourceApi(store, authorizer, this.admission, now),
    });
  }

  static async start(world: World, options: KubernetesOptions): Promise<Kubernetes> {
    const now = () => world.clock.now();
    const store = new ObjectStore(now);
    const tokens = await ServiceAccountTokens.create(options.issuer, store, now);
    const kubernetes = new Kubernetes(world, store, tokens, options);
    startControllers(store);
    kubernetes.#seed();
    await kubernetes.#server.listen();
    return kubernetes;
  }

  get endpoint(): string {
    return this.#server.endpoint;
  }

  /** PEM. */
  get certificateAuthority(): string {
    return this.#server.certificateAuthority;
  }

  /** Puts an object into the cluster, or replaces it, without anybody calling the API. */
  apply(object: SeedObject): KubernetesObject {
    const type = typeOfKind(object.kind);
    const { name, namespace } = object.metadata;
    if (type.namespaced && !this.store.get(typeOfKind('Namespace'), undefined, namespace ?? ''))
      throw new Error(`the cluster has no namespace ${namespace ?? ''} for ${object.kind} ${name}`);
    const before = this.store.get(type, namespace, name);
    return this.store.put(type, admitted(type, object, before));
  }

  get(kind: string, namespace: string | undefined, name: string): KubernetesObject | undefined {
    return this.store.get(typeOfKind(kind), namespace, name);
  }

  delete(kind: string, namespace: string | undefined, name: string): void {
    this.store.remove(typeOfKind(kind), namespace, name);
  }

  /** Leaves the objects that a chart of that generation leaves; nothing runs in its pods. */
  installKubecost(installation: KubecostInstallation): void {
    for (const object of kubecostObjects(installation)) {
      const { namespace = '' } = object.metadata;
      if (!this.get('Namespace', undefined, namespace))
        this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
      this.apply(object);
    }
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  #seed(): void {
    for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system'])
      this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    for (const [name, rules] of Object.entries(userFacingRoles))
      this.apply({ apiVersion, kind: 'ClusterRole', metadata: { name }, rules });
    this.apply({
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'cluster-admin' },
      roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'Group', name: 'system:masters' }],
    });
  }
}
