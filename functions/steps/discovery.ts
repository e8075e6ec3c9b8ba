import { coveredNames, rules } from '../../shared/cluster-role.ts';
import { connectKubernetes, unlessHidden, type KubernetesClient } from '../../shared/kubernetes.ts';
import { defineStep, type Plan } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';
import { costReaders, type CostReader, type Workload } from '../../shared/workload.ts';
import type { Outputs } from '../../shared/outputs.ts';

interface Input {
  namespace: string;
  secretName: string;
  /** As requested. */
  serviceAccount: string | undefined;
  coveredServiceAccounts: string[];
}

interface Seen {
  readers: CostReader[];
  /** Of the service accounts that may come into question, those that exist. */
  serviceAccounts: string[];
}

/** The tutorial's, where nothing is installed yet. */
const defaultServiceAccount = 'kubecost-serviceaccount';

/** Versions that overflow their stack on any cloud-integration.json (opencost#4029). */
const crashingImage = /opencost:v?1\.121\.2$/;

async function listReaders(kubernetes: KubernetesClient, { namespace, secretName }: Input): Promise<CostReader[]> {
  const kinds = ['deployment', 'statefulset'];
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const objects = await kubernetes.list<Workload>(`/apis/apps/v1/namespaces/${namespace}/${kind}s`);
      return objects.map((object) => ({ kind, object }));
    }),
  );
  return costReaders(lists.flat(), secretName);
}

/** Those that mount the secret, else all; of these the requested service account's, if it has any. */
function candidates(readers: CostReader[], serviceAccount: string | undefined): CostReader[] {
  const mounting = readers.filter(({ mount }) => mount !== null);
  const likely = mounting.length > 0 ? mounting : readers;
  const requested = likely.filter((reader) => reader.serviceAccount === serviceAccount);
  return requested.length > 0 ? requested : likely;
}

function nameAll(readers: CostReader[]): string {
  return readers.map(({ workload, serviceAccount }) => `${workload} runs as ${serviceAccount}`).join(', ');
}

function planFrom(input: Input, { readers }: Seen): Plan<never, Outputs['discovery']> {
  const likely = candidates(readers, input.serviceAccount);
  const [reader] = likely;
  const serviceAccount = input.serviceAccount ?? reader?.serviceAccount ?? defaultServiceAccount;
  if (likely.some((other) => other.serviceAccount !== serviceAccount)) {
    const asked = input.serviceAccount === undefined ? '' : `; requested was ${input.serviceAccount}`;
    return { kind: 'refuse', code: 'service-account-differs', detail: `${nameAll(likely)}${asked}` };
  }
  if (!input.coveredServiceAccounts.includes(serviceAccount))
    return {
      kind: 'refuse',
      code: 'service-account-differs',
      detail: `${nameAll(likely)}; our rights cover ${input.coveredServiceAccounts.join(', ')}: name ${serviceAccount} as identity.serviceAccount.name`,
    };
  const warnings = likely
    .filter(({ image }) => crashingImage.test(image))
    .map(({ workload, image }) => `${workload} runs ${image}, which crashes on any cloud-integration.json: upgrade it`);
  if (likely.length > 1) warnings.push(`several workloads read cloud costs: ${nameAll(likely)}`);
  return {
    kind: 'ready',
    output: {
      installation: reader?.installation ?? 'none',
      workload: reader?.workload ?? null,
      image: reader?.image ?? null,
      mount: reader?.mount ?? null,
      serviceAccount,
      container: null,
      podSelector: null,
      statusService: null,
    },
    warnings,
  };
}

/** Reads what is installed and how it reads the secret from the live workloads. */
export const discovery = defineStep({
  name: 'discovery',
  summary: 'Finds out what is installed, as which service account it runs and how it mounts the secret.',
  permissions: { kubernetes: [rules.workloads, rules.serviceAccount] },

  input(cx): Input {
    const { kubecost, identity } = cx.run.request;
    return {
      namespace: kubecost.namespace,
      secretName: kubecost.secretName,
      serviceAccount: identity.serviceAccount.name,
      coveredServiceAccounts: coveredNames(cx.run).serviceAccounts,
    };
  },

  observe(cx, input): Promise<Seen | 'hidden'> {
    return unlessHidden(cx, async () => {
      const kubernetes = connectKubernetes(cx);
      const readers = await listReaders(kubernetes, input);
      const names = new Set([input.serviceAccount ?? defaultServiceAccount, ...readers.map((r) => r.serviceAccount)]);
      const found = await Promise.all(
        input.coveredServiceAccounts
          .filter((name) => names.has(name))
          .map((name) => kubernetes.get(`/api/v1/namespaces/${input.namespace}/serviceaccounts/${name}`)),
      );
      return { readers, serviceAccounts: found.flatMap((object) => object?.metadata.name ?? []) };
    });
  },

  plan(input, seen): Plan<never, Outputs['discovery']> {
    return planFrom(input, seen === 'hidden' ? { readers: [], serviceAccounts: [] } : seen);
  },

  apply: () => Promise.resolve(),
});

export const handler = stepHandler(discovery);
