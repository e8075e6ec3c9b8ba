import * as z from 'zod';
import { roleAnnotation } from '../access/service-account.ts';
import { outputOf, podRoleOf, type RunRecord } from '../model/run.ts';
import { commandLine } from '../text/shell-quoting.ts';
import { writeYaml } from '../text/yaml-text.ts';
import { podRoleStep } from './iam-documents.ts';
import type { OutputsSoFar } from './outputs-so-far.ts';

const generations = ['kubecost-1', 'kubecost-2', 'kubecost-2-statefulset', 'kubecost-3', 'opencost'] as const;
type Generation = (typeof generations)[number];

const Chart = z
  .object({
    generation: z.enum(generations),
    fits: z
      .boolean()
      .meta({ description: 'True for the installed generation; false for all if none is installed or known yet' }),
    chart: z.string(),
    repository: z.string(),
    serviceAccount: z
      .enum(['existing', 'chart'])
      .nullable()
      .meta({ description: 'Which values to use: existing if the run creates the service account, otherwise chart' }),
    values: z
      .object({
        existing: z.string().meta({ description: 'The service account exists: the chart does not create it' }),
        chart: z.string().meta({ description: 'The chart creates the service account that the role trusts' }),
      })
      .nullable()
      .meta({ description: 'Two variants of values.yaml. For an installed release, add these keys to its values' }),
    ciValues: z.string().nullable().meta({
      description:
        'ci-values.yaml for Argo CD and other tools that render the chart without access to the cluster; null if not needed',
    }),
    install: z
      .string()
      .meta({ description: 'Command that installs the chart with values.yaml; the secret must exist' }),
  })
  .meta({ id: 'ChartArtifacts' });

export const Helm = z
  .object({
    detected: z
      .enum(generations)
      .nullable()
      .meta({ description: 'The installed generation; null if none is installed or known yet' }),
    charts: z
      .array(Chart)
      .meta({ description: 'One item for each usable generation; 1.x does not support EKS Pod Identity' }),
  })
  .meta({
    id: 'HelmArtifacts',
    description: 'Helm values that set the secret and the service account, for each chart',
  });

interface Keys {
  secretName: string;
  clusterName: string;
  /** Service account of the pod that reads the bill; undefined if all pods use the same one. */
  ownAccount: string | undefined;
}

interface ChartFacts {
  chart: string;
  repository: string;
  release: string;
  /** Constraint of `helm install --version`. */
  version?: string;
  defaultServiceAccount: string;
  /** The reader of the bill has its own pod and a key for the service account of that pod, which the chart creates. */
  ownAccount?: true;
  /** The templates look up the secret in the cluster, unless the ciValues are set. */
  checksCluster?: true;
  values: (keys: Keys) => object;
  comments: Record<string, string>;
}

const costAnalyzer = {
  chart: 'cost-analyzer',
  repository: 'https://kubecost.github.io/cost-analyzer/',
  release: 'kubecost',
  defaultServiceAccount: 'kubecost-cost-analyzer',
  values: ({ secretName }: Keys): object => ({ kubecostProductConfigs: { cloudIntegrationSecret: secretName } }),
} as const;

const secretComment = 'The Secret must exist in the namespace of the release, with the key cloud-integration.json.';

/**
 * Keys and defaults of the charts: kubecost/kubecost v1.108.1 and v2.8.7 (chart cost-analyzer), v3.2.1 (chart kubecost),
 * opencost/opencost-helm-chart. The names are those of a release with the name `kubecost` or `opencost`.
 */
const charts: Record<Generation, ChartFacts> = {
  'kubecost-1': {
    ...costAnalyzer,
    version: '~1.108.0',
    comments: { 'kubecostProductConfigs.cloudIntegrationSecret': secretComment },
  },
  'kubecost-2': {
    ...costAnalyzer,
    version: '~2.8.0',
    checksCluster: true,
    comments: {
      'kubecostProductConfigs.cloudIntegrationSecret': `${secretComment}\nThe chart looks it up and fails without it.`,
    },
  },
  'kubecost-2-statefulset': {
    ...costAnalyzer,
    version: '~2.8.0',
    ownAccount: true,
    checksCluster: true,
    values: ({ ownAccount, ...keys }) => ({
      ...costAnalyzer.values({ ownAccount, ...keys }),
      kubecostAggregator: {
        deployMethod: 'statefulset',
        ...(ownAccount !== undefined && { cloudCost: { serviceAccountName: ownAccount } }),
      },
    }),
    comments: {
      'kubecostProductConfigs.cloudIntegrationSecret': `${secretComment}\nThe chart looks it up and fails without it.`,
      'kubecostAggregator.cloudCost':
        'Only the pod that reads the bill uses this service account; the chart creates it.',
    },
  },
  'kubecost-3': {
    chart: 'kubecost',
    repository: 'https://kubecost.github.io/kubecost/',
    release: 'kubecost',
    version: '^3.0.0',
    defaultServiceAccount: 'kubecost',
    ownAccount: true,
    checksCluster: true,
    values: ({ secretName, clusterName, ownAccount }) => ({
      global: { clusterId: clusterName },
      cloudCost: { cloudIntegrationSecret: secretName, serviceAccountName: ownAccount },
    }),
    comments: {
      'global.clusterId':
        'Required; must be unique for each cluster. Do not change the value of an installed Kubecost: its data is stored under this id.',
      'cloudCost.cloudIntegrationSecret': `${secretComment}\nThe pod does not start without it. Restart the pod after a change of its content.`,
      'cloudCost.serviceAccountName':
        'Only the pod that reads the bill uses this service account; the chart creates it.',
    },
  },
  opencost: {
    chart: 'opencost',
    repository: 'https://opencost.github.io/opencost-helm-chart',
    release: 'opencost',
    defaultServiceAccount: 'opencost',
    values: ({ secretName }) => ({ opencost: { cloudIntegrationSecret: secretName, cloudCost: { enabled: true } } }),
    comments: {
      'opencost.cloudIntegrationSecret': `${secretComment}\nDo not use OpenCost 1.121.2, which crashes on any such file (opencost/opencost#4029).`,
      'opencost.cloudCost': 'Required: without this key OpenCost does not read the secret.',
    },
  },
};

/** Templates that look up objects in the cluster fail in tools that render without it (kubecost/kubecost#3106). */
const ciValues = writeYaml(
  { global: { platforms: { cicd: { enabled: true, skipSanityChecks: true } } } },
  {
    'global.platforms':
      'For tools that render the chart without the cluster: the chart skips its check for the secret.',
  },
);

export function helmArtifacts(run: RunRecord, known: OutputsSoFar): z.input<typeof Helm> {
  const irsa = run.request.identity.mode === 'irsa';
  const found = known.find('discovery')?.installation;
  const detected = found === undefined || found === 'none' || found === 'unknown' ? null : found;
  const usable = generations.filter((generation) => irsa || generation !== 'kubecost-1');
  return { detected, charts: usable.map((generation) => chartArtifacts(generation, generation === detected)) };

  function chartArtifacts(generation: Generation, fits: boolean): z.input<typeof Chart> {
    const facts = charts[generation];
    const { chart, repository, release, version } = facts;
    const { namespace } = run.request.kubecost;
    const needs = irsa ? (['discovery', podRoleStep(run)] as const) : (['discovery'] as const);
    return {
      generation,
      fits,
      chart,
      repository,
      serviceAccount: known.when(needs, () => (hasAccount(run) ? 'existing' : 'chart')),
      values: known.when(needs, () => ({ existing: valuesOf('existing', facts), chart: valuesOf('chart', facts) })),
      ciValues: facts.checksCluster ? ciValues : null,
      install: commandLine(
        ...['helm', 'install', release, chart, '--repo', repository],
        ...(version ? ['--version', version] : []),
        ...['--namespace', namespace, '-f', 'values.yaml'],
      ),
    };
  }

  function valuesOf(variant: 'existing' | 'chart', facts: ChartFacts): string {
    const { serviceAccount: name } = outputOf(run, 'discovery');
    const { secretName } = run.request.kubecost;
    const own = variant === 'chart' && !irsa && facts.ownAccount && name !== facts.defaultServiceAccount;
    const values = facts.values({
      secretName,
      clusterName: run.request.cluster.name,
      ownAccount: own ? name : undefined,
    });
    if (variant === 'existing')
      return writeYaml(
        { ...values, serviceAccount: { create: false, name } },
        { ...facts.comments, serviceAccount: 'The service account exists: the chart does not create it.' },
      );
    const serviceAccount = {
      create: true,
      name: own || name === facts.defaultServiceAccount ? undefined : name,
      annotations: irsa ? { [roleAnnotation]: podRoleOf(run).podRoleArn } : undefined,
    };
    return writeYaml(
      { ...values, serviceAccount },
      { ...facts.comments, serviceAccount: `The chart creates ${name}, the service account that the role trusts.` },
    );
  }
}

/** With IRSA the run creates the service account if no chart has; with EKS Pod Identity it creates none. */
function hasAccount(run: RunRecord): boolean {
  const made = run.steps['pod-role']?.changes.some((change) => change.do === 'create-service-account');
  return Boolean(made) || (run.request.identity.mode === 'irsa' && outputOf(run, 'discovery').installation === 'none');
}
