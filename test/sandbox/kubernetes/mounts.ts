import type { KubernetesObject } from './objects.ts';
import type { PodSpec, Volume } from './pod-fields.ts';

type ReadSecret = (name: string) => KubernetesObject | undefined;
/** File contents by path inside the volume. */
type Files = ReadonlyMap<string, string>;

/**
 * The secrets in a pod's file system. A directory shows changes of its secret, a `subPath` keeps its content from the pod's start
 * (Kubernetes, "Secrets": "A container using a Secret as a subPath volume mount does not receive automated Secret updates").
 */
export class Mounts {
  readonly #spec: PodSpec;
  readonly #read: ReadSecret;
  readonly #atStart: ReadonlyMap<string, Files>;
  #now: ReadonlyMap<string, Files>;

  private constructor(spec: PodSpec, read: ReadSecret, files: ReadonlyMap<string, Files>) {
    this.#spec = spec;
    this.#read = read;
    this.#atStart = files;
    this.#now = files;
  }

  /** Undefined while a secret or a key of it is missing: the pod's containers are not created until then. */
  static mount(spec: PodSpec, read: ReadSecret): Mounts | undefined {
    const files = allFiles(spec, read);
    return files && new Mounts(spec, read, files);
  }

  hasDirectoryOf(secretName: string): boolean {
    const volumes = volumesOf(this.#spec, secretName);
    return this.#spec.containers.some(({ volumeMounts = [] }) =>
      volumeMounts.some(({ name, subPath }) => subPath === undefined && volumes.includes(name)),
    );
  }

  /** True if a directory has changed. Files stay when their secret is deleted. */
  refresh(): boolean {
    const files = allFiles(this.#spec, this.#read);
    if (!files || JSON.stringify(entriesOf(files)) === JSON.stringify(entriesOf(this.#now))) return false;
    this.#now = files;
    return true;
  }

  file(containerName: string, path: string): string | undefined {
    const container = this.#spec.containers.find(({ name }) => name === containerName);
    const [mount] = (container?.volumeMounts ?? [])
      .filter(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`))
      .sort((a, b) => b.mountPath.length - a.mountPath.length);
    if (!mount) return undefined;
    const inside = path.slice(mount.mountPath.length + 1);
    if (mount.subPath === undefined) return this.#now.get(mount.name)?.get(inside);
    const inVolume = inside === '' ? mount.subPath : `${mount.subPath}/${inside}`;
    return this.#atStart.get(mount.name)?.get(inVolume);
  }
}

export function volumesOf({ volumes = [] }: PodSpec, secretName: string): string[] {
  return volumes.filter(({ secret }) => secret?.secretName === secretName).map(({ name }) => name);
}

function allFiles({ volumes = [] }: PodSpec, read: ReadSecret): ReadonlyMap<string, Files> | undefined {
  const all = new Map<string, Files>();
  for (const volume of volumes) {
    const files = filesOf(volume, read);
    if (!files) return undefined;
    all.set(volume.name, files);
  }
  return all;
}

function filesOf({ secret }: Volume, read: ReadSecret): Files | undefined {
  if (!secret) return new Map();
  const { secretName, items, optional = false } = secret;
  const object = read(secretName);
  if (!object) return optional ? new Map() : undefined;
  const data = (object.data ?? {}) as Record<string, string | undefined>;
  const wanted = items ?? Object.keys(data).map((key) => ({ key, path: key }));
  const present = wanted.filter(({ key }) => data[key] !== undefined);
  if (present.length < wanted.length && !optional) return undefined;
  return new Map(present.map(({ key, path }) => [path, Buffer.from(data[key] ?? '', 'base64').toString()]));
}

function entriesOf(files: ReadonlyMap<string, Files>): unknown {
  return [...files].map(([name, volume]) => [name, [...volume]]);
}
