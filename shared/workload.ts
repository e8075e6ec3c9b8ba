import type { KubernetesObject } from './kubernetes.ts';
import type { Outputs } from './outputs.ts';

interface Container {
  name: string;
  image?: string;
  volumeMounts?: { name: string; mountPath: string; subPath?: string }[];
}

/** The part of a Deployment or StatefulSet that tells what runs and as whom. */
export interface Workload extends KubernetesObject {
  spec: {
    template: {
      metadata?: { labels?: Record<string, string> };
      spec: {
        serviceAccountName?: string;
        containers: Container[];
        volumes?: { name: string; secret?: { secretName?: string } }[];
      };
    };
  };
}

export interface CostReader {
  /** `deployment/<name>` */
  workload: string;
  installation: Exclude<Outputs['discovery']['installation'], 'none'>;
  image: string;
  mount: 'directory' | 'subPath' | null;
  serviceAccount: string;
}

/** Containers that read cloud-integration.json, the likelier first: from 2.x on `cost-model` no longer does. */
const readers = ['cloud-cost', 'opencost', 'cost-model'] as const;

/** The workloads of a namespace that read cloud costs, by their containers: release names are free. */
export function costReaders(
  workloads: readonly { kind: string; object: Workload }[],
  secretName: string,
): CostReader[] {
  const found = workloads.flatMap(({ kind, object }) => {
    const container = readers.flatMap((name) => containersOf(object).filter((one) => one.name === name))[0];
    return container ? [{ kind, object, container }] : [];
  });
  const separate = found.some(({ container }) => container.name === 'cloud-cost');
  return found
    .filter(({ object, container }) => container.name !== 'cost-model' || (!separate && major(object, container) < 2))
    .map(({ kind, object, container }) => ({
      workload: `${kind}/${object.metadata.name}`,
      installation: installationOf(object, container),
      image: container.image ?? '',
      mount: mountOf(object, container, secretName),
      serviceAccount: object.spec.template.spec.serviceAccountName ?? 'default',
    }));
}

function containersOf(workload: Workload): Container[] {
  return workload.spec.template.spec.containers;
}

function installationOf(workload: Workload, container: Container): CostReader['installation'] {
  if (container.name === 'opencost') return 'opencost';
  const version = major(workload, container);
  if (version >= 3) return 'kubecost-3';
  if (version < 2) return 'kubecost-1';
  return workload.spec.template.metadata?.labels?.app === 'cost-analyzer' ? 'kubecost-2' : 'kubecost-2-statefulset';
}

/** From the chart label `<chart>-<version>`, else from the image tag (`prod-2.8.7`, `3.2.1`); 2 if neither tells. */
function major({ metadata }: Workload, { name, image = '' }: Container): number {
  const chart = /-v?(\d+)\.\d+\.\d+[^/]*$/.exec(metadata.labels?.['helm.sh/chart'] ?? '');
  const tag = /:(?:[a-z]+-)?v?(\d+)\.\d+/.exec(image);
  return Number((chart ?? tag)?.[1] ?? (name === 'cost-model' ? 1 : 2));
}

function mountOf(workload: Workload, { volumeMounts = [] }: Container, secretName: string): CostReader['mount'] {
  const { volumes = [] } = workload.spec.template.spec;
  const mount = volumeMounts.find(({ name }) =>
    volumes.some((volume) => volume.name === name && volume.secret?.secretName === secretName),
  );
  if (!mount) return null;
  return mount.subPath ? 'subPath' : 'directory';
}
