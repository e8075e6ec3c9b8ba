import { shownTrust, typeOfKind, type World } from '../sandbox/index.ts';
import { clusterArn, clusters, exampleRequest, examples } from './scenario.ts';
import type { StepHarness } from './step-harness.ts';

const payers = examples.map((example) => exampleRequest(example).payerAccountId);
const regions = ['us-east-1', 'us-west-2', 'eu-central-1'];
const kinds = ['Namespace', 'Role', 'RoleBinding', 'ServiceAccount', 'Secret', 'Deployment'];

/**
 * Everything that runs make, by name. Two histories with the same result have equal snapshots: random ids,
 * dates and run ids are left out.
 */
export async function worldSnapshot(stepHarness: StepHarness): Promise<Record<string, unknown>> {
  const { world } = stepHarness;
  const items = await stepHarness.items();
  const all = {
    ...iamOf(world),
    ...billingOf(world),
    ...clustersOf(world),
    ...Object.fromEntries(
      items
        .filter(({ pk }) => /^(target|payer|windows)/.test(String(pk)))
        .map((item) => [`item ${String(item.pk)} ${String(item.sk)}`, item]),
    ),
  };
  const text = JSON.stringify(Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))));
  return JSON.parse(withoutChance(text)) as Record<string, unknown>;
}

function withoutChance(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uuid>')
    .replaceAll(/\b01[0-9a-hjkmnp-tv-z]{24}\b/g, '<run>')
    .replaceAll(/-(?=\d*[A-Z])[0-9A-Z]{12,13}\b/g, '-<chance>')
    .replaceAll(/\/id\/[0-9A-F]{32}\b/g, '/id/<issuer>')
    .replaceAll(/\/a-[0-9a-f]{17}\b/g, '/<association>')
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<date>');
}

function iamOf({ iam }: World): Record<string, unknown> {
  const accounts = [...payers, ...clusters.map(({ accountId }) => accountId)];
  const roles = accounts.flatMap((account) => iam.roles(account));
  return {
    ...Object.fromEntries(
      roles.map(({ arn, trust, tags, inline, attached }) => [
        `role ${arn.replace(/-[0-9A-Z]{12,13}$/, '')}`,
        {
          trust: trust.current && shownTrust(trust.current, iam),
          tags: [...tags].sort(),
          inline: [...inline].flatMap(([name, { current }]) => (current ? [[name, current.text]] : [])).sort(),
          attached: [...attached].flatMap(([name, policy]) => (policy.current ? [name] : [])).sort(),
        },
      ]),
    ),
    ...Object.fromEntries(
      [...iam.policies.values()].map(({ arn, tags, content }) => [
        `policy ${arn}`,
        { tags: [...tags].sort(), document: content.current?.text },
      ]),
    ),
    ...Object.fromEntries(
      [...iam.providers.values()].map(({ arn, clientIds, tags }) => [
        `provider ${arn}`,
        { clientIds, tags: [...tags] },
      ]),
    ),
  };
}

function billingOf(world: World): Record<string, unknown> {
  const places = payers.flatMap((account) => regions.map((region) => ({ account, region })));
  return {
    ...Object.fromEntries(
      [...world.s3.buckets.values()].map(({ objects, policy, ...bucket }) => [
        `bucket ${bucket.name}`,
        // Query results differ from run to run.
        {
          ...bucket,
          createdAt: 0,
          policy: policy?.text,
          keys: [...objects.keys()].filter((key) => key.includes('/')).sort(),
        },
      ]),
    ),
    ...Object.fromEntries(
      [...world.cur.reports].map(([name, { definition, tags }]) => [`report ${name}`, { definition, tags }]),
    ),
    ...Object.fromEntries(
      [...world.cloudformation.stacks.values()]
        .filter(({ status }) => status !== 'DELETE_COMPLETE')
        .map(({ accountId, name, status, tags, template, resources }) => [
          `stack ${accountId} ${name}`,
          { status, tags, template, resources: [...resources.keys()].sort() },
        ]),
    ),
    ...Object.fromEntries(
      places.flatMap(({ account, region }) => [
        ...[...world.glue.catalog(account, region).databases].map(([name, { tables }]) => [
          `database ${account} ${region} ${name}`,
          [...tables].map(([table, { partitions }]) => [table, [...partitions.keys()].sort()]).sort(),
        ]),
        ...[...world.glue.catalog(account, region).crawlers].map(([name, { settings }]) => [
          `crawler ${account} ${region} ${name}`,
          { ...settings, Role: '' },
        ]),
        ...[...world.athena.workgroups(account, region)].map(([name, { configuration, tags }]) => [
          `workgroup ${account} ${region} ${name}`,
          // AWS shows a workgroup without location in both ways.
          { configuration: { ResultConfiguration: {}, ...configuration }, tags },
        ]),
      ]) as [string, unknown][],
    ),
  };
}

function clustersOf({ eks }: World): Record<string, unknown> {
  return Object.fromEntries(
    clusters.flatMap((place) => {
      const { kubernetes, accessEntries, associations } = eks.cluster(clusterArn(place));
      const objects = kinds.flatMap((kind) =>
        kubernetes.store.list(typeOfKind(kind)).map(({ metadata, ...object }): [string, unknown] => {
          const { name, namespace = '', labels, annotations } = metadata;
          // The status of a rollout depends on the moment.
          return [`${place.name} ${kind} ${namespace}/${name}`, { ...object, status: undefined, labels, annotations }];
        }),
      );
      const entries = [...accessEntries].map(([principal, { groups, tags, policies }]): [string, unknown] => [
        `${place.name} entry ${principal}`,
        { groups, tags, policies: [...policies.keys()] },
      ]);
      const pods = [...associations.values()].map(({ namespace, serviceAccount, roleArn, tags }): [string, unknown] => [
        `${place.name} association ${namespace}/${serviceAccount}`,
        { roleArn, tags },
      ]);
      return [...objects, ...entries, ...pods];
    }),
  );
}
