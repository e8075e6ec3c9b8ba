import { isDeepStrictEqual } from 'node:util';
import type { World } from '../world.ts';
import { userFacingRoles } from './access-policies.ts';
import { Admission } from './admission.ts';
import { ApiServer } from './api-server.ts';
import { Authorizer, type User } from './authorize.ts';
import { startControllers } from './controllers.ts';
import { withCredentials } from './credentials-webhook.ts';
import { admitted } from './kinds.ts';
import { type KubecostInstallation, kubecostObjects } from './kubecost/installation.ts';
import { Kubelet } from './kubelet.ts';
import { type KubernetesObject, type SeedObject, typeOfKind } from './objects.ts';
import { Pace } from './pace.ts';
import { serviceAccountOf } from './pod-fields.ts';
import { ResourceApi } from './resource-api.ts';
import { Rollouts } from './rollouts.ts';
import { ServiceAccountTokens } from './service-account-tokens.ts';
import { ObjectStore } from './store.ts';
import { Workloads } from './workloads.ts';

interface KubernetesOptions {
  accountId: string;
  version: string;
  region: string;
  issuer: string;
  reachable: boolean;
  /** True if EKS Pod Identity serves this service account now. */
  hasPodIdentity: (namespace: string, serviceAccount: string) => boolean;
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
    new Rollouts(store, this.#pace, (namespace, spec) => {
      const account = serviceAccountOf(spec);
      const association = options.hasPodIdentity(namespace, account);
      const { region } = options;
      return withCredentials(spec, store.get(typeOfKind('ServiceAccount'), namespace, account), {
        region,
        association,
      });
    });
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
    startControllers(store, kubernetes.#pace, () => kubernetes.certificateAuthority);
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

  /** Creates or replaces an object without a call of the API. */
  apply(object: SeedObject): KubernetesObject {
    const type = typeOfKind(object.kind);
    const { name, namespace } = object.metadata;
    if (type.namespaced && !this.store.get(typeOfKind('Namespace'), undefined, namespace ?? ''))
      throw new Error(`the cluster has no namespace ${namespace ?? ''} for ${object.kind} ${name}`);
    const before = this.store.get(type, namespace, name);
    const draft = admitted(type, object, before);
    if (before?.metadata.generation !== undefined) {
      const isSame = isDeepStrictEqual(draft.spec, before.spec);
      draft.metadata.generation = before.metadata.generation + (isSame ? 0 : 1);
      draft.status = before.status;
    }
    return this.store.put(type, draft);
  }

  get(kind: string, namespace: string | undefined, name: string): KubernetesObject | undefined {
    return this.store.get(typeOfKind(kind), namespace, name);
  }

  delete(kind: string, namespace: string | undefined, name: string): void {
    this.store.remove(typeOfKind(kind), namespace, name);
  }

  /** Installs what a chart of that generation makes. Its pods are ready unless a mounted secret is missing. */
  installKubecost(installation: KubecostInstallation): void {
    this.#pace.instantly(() => {
      this.#applyAll(kubecostObjects(installation));
    });
  }

  uninstallKubecost(installation: KubecostInstallation): void {
    for (const { kind, metadata } of kubecostObjects(installation))
      this.delete(kind, metadata.namespace, metadata.name);
  }

  /** Upgrades as Helm does: removes what the new chart lacks and changes the rest. Pods roll as usual. */
  upgradeKubecost(from: KubecostInstallation, to: KubecostInstallation): void {
    const wanted = kubecostObjects(to);
    for (const { kind, metadata } of kubecostObjects(from)) {
      const isKept = wanted.some(
        (other) => other.kind === kind && isDeepStrictEqual(nameOf(other), nameOf({ metadata })),
      );
      if (!isKept) this.delete(kind, metadata.namespace, metadata.name);
    }
    this.#applyAll(wanted);
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  /** Annotations of others stay, as with Helm. */
  #applyAll(objects: readonly SeedObject[]): void {
    for (const object of objects) {
      const { namespace = '', name } = object.metadata;
      if (!this.get('Namespace', undefined, namespace))
        this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
      const known = this.get(object.kind, namespace, name)?.metadata.annotations;
      const annotations = { ...known, ...object.metadata.annotations };
      this.apply({ ...object, metadata: { ...object.metadata, annotations } });
    }
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

function nameOf({ metadata: { namespace, name } }: Pick<SeedObject, 'metadata'>): object {
  return { namespace, name };
}
