import { unlessHidden } from '../../shared/cluster/connection.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { agents, type CostReader, costReaders } from '../../shared/kubecost/cost-readers.ts';
import { readNamespaceWorkloads } from '../../shared/kubecost/read-namespace-workloads.ts';
import type { RunRecord } from '../../shared/model/run.ts';
import type { OnboardingRequest } from '../../shared/model/run-requests.ts';
import { type Outputs, outputs } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { readTargetSettings } from '../../shared/targets/target-settings.ts';

interface Input {
  target: Target;
  identityMode: OnboardingRequest['identity']['mode'];
  /** As requested. */
  serviceAccount: string | undefined;
}

interface Observation {
  /** The cluster denies us access, which happens only in a dry run. */
  hidden: boolean;
  readers: CostReader[];
  /** Workloads that do not read the bill, because another cluster does. */
  agents: string[];
  /** What the target's first run has fixed. */
  fixedServiceAccount?: string | undefined;
}

/** The tutorial's, if nothing is installed yet. */
const defaultServiceAccount = 'kubecost-serviceaccount';

/** Overflows its stack on any cloud-integration.json (opencost#4029): it must never be given one, nor be rolled. */
const crashingImage = /opencost:v?1\.121\.2(@|$)/;

/** The readers that mount the secret, otherwise all; of these, the ones of the requested service account if there are any. */
function candidates(readers: CostReader[], serviceAccount: string | undefined): CostReader[] {
  const mounting = readers.filter(({ mount }) => mount !== null);
  const likely = mounting.length > 0 ? mounting : readers;
  const requested = likely.filter((reader) => reader.serviceAccount === serviceAccount);
  return requested.length > 0 ? requested : likely;
}

function nameAll(readers: CostReader[]): string {
  return readers.map(({ workload, serviceAccount }) => `${workload} runs as ${serviceAccount}`).join(', ');
}

function refusal({ serviceAccount, identityMode }: Input, likely: CostReader[]) {
  const expected = serviceAccount ?? likely[0]?.serviceAccount;
  if (likely.some((reader) => reader.serviceAccount !== expected)) {
    const asked = serviceAccount === undefined ? '' : `; requested was ${serviceAccount}`;
    return { code: 'service-account-differs' as const, detail: `${nameAll(likely)}${asked}` };
  }
  const crashing = likely.find(({ image }) => crashingImage.test(image));
  if (crashing)
    return { code: 'consumer-crashes-on-file' as const, detail: `${crashing.workload} runs ${crashing.image}` };
  const old = identityMode === 'pod-identity' ? likely.find(({ knowsPodIdentity }) => !knowsPodIdentity) : undefined;
  if (old) return { code: 'pod-identity-not-supported' as const, detail: `${old.workload} runs ${old.image}` };
  return undefined;
}

/** The service account that the identity step of the run has given the role; undefined before that step. */
function serviceAccountWithRole({ request, steps }: RunRecord): string | undefined {
  const name = request.identity.mode === 'irsa' ? 'pod-role' : 'pod-identity';
  return outputs[name].safeParse(steps[name]?.output).data?.serviceAccount;
}

const nothingInstalled = {
  workload: null,
  container: null,
  image: null,
  mount: null,
  podSelector: null,
  statusService: null,
};

/** Reads what is installed and how it reads the secret from the live workloads. */
export const discovery = defineStep({
  name: 'discovery',
  summary: 'Finds out what is installed, as which service account it runs and how it mounts the secret.',
  permissions: { table: ['GetItem'], kubernetes: [rules.workloads, rules.services] },

  input({ run }): Input {
    const { mode, serviceAccount } = run.request.identity;
    return { target: targetOf(run.request), identityMode: mode, serviceAccount: serviceAccount.name };
  },

  async observe(cx, { target }): Promise<Observation> {
    const [found, settings] = await Promise.all([
      unlessHidden(cx, () => readNamespaceWorkloads(cx.kubernetes, target.namespace)),
      readTargetSettings(target),
    ]);
    const { workloads, services } = found === 'hidden' ? { workloads: [], services: [] } : found;
    return {
      hidden: found === 'hidden',
      readers: costReaders({ workloads, services }, target.secretName),
      agents: agents({ workloads, services }),
      fixedServiceAccount: settings?.serviceAccount,
    };
  },

  plan(input, { hidden, readers, agents, fixedServiceAccount }): Plan<never, Outputs['discovery']> {
    if (hidden) {
      const serviceAccount = input.serviceAccount ?? fixedServiceAccount ?? defaultServiceAccount;
      return {
        kind: 'not-visible',
        why: `what is installed shows once we have our rights in the cluster; until then the service account is taken to be ${serviceAccount}`,
        expected: { ...nothingInstalled, installation: 'unknown', serviceAccount },
      };
    }
    const likely = candidates(readers, input.serviceAccount);
    const refused = refusal(input, likely);
    if (refused) return { kind: 'refuse', ...refused };
    const warnings: string[] = [];
    if (likely.length > 1) warnings.push(`several workloads read cloud costs: ${nameAll(likely)}`);
    if (readers.length === 0 && agents.length > 0)
      warnings.push(
        `${agents.join(', ')} runs without a cloud-cost container, as an agent does: the bill is read in the primary cluster, which is the one to onboard`,
      );
    const [reader] = likely;
    return {
      kind: 'ready',
      output: {
        installation: reader?.installation ?? 'none',
        workload: reader?.workload ?? null,
        container: reader?.container ?? null,
        image: reader?.image ?? null,
        mount: reader?.mount ?? null,
        serviceAccount: input.serviceAccount ?? reader?.serviceAccount ?? fixedServiceAccount ?? defaultServiceAccount,
        podSelector: reader?.podSelector ?? null,
        statusService: reader?.statusService ?? null,
      },
      warnings,
    };
  },

  invalidates(run, { workload, statusService, serviceAccount }) {
    const covered = outputs['cluster-access'].safeParse(run.steps['cluster-access']?.output).data;
    const isCovered = (names: string[] = [], name: string | null | undefined) => !name || names.includes(name);
    if (
      !isCovered(covered?.serviceAccounts, serviceAccount) ||
      !isCovered(covered?.workloads, workload?.split('/')[1]) ||
      !isCovered(covered?.statusServices, statusService)
    )
      return 'cluster-access';
    const given = serviceAccountWithRole(run);
    return given !== undefined && given !== serviceAccount ? 'pod-role' : undefined;
  },
});

export const handler = stepHandler(discovery);
