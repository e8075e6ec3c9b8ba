import * as z from 'zod';
import { roleAnnotation } from '../access/service-account.ts';
import { renderClusterManifest } from '../cluster/provisioner-manifest.ts';
import { coveredNames, groupName } from '../cluster/provisioner-role.ts';
import { entryKey, entryOf, type IntegrationEntry, mergeEntries, renderEntry } from '../integration-file/merge.ts';
import { podRoleOf, type RunRecord } from '../model/run.ts';
import { StepNameView } from '../model/run-schemas.ts';
import { commandLine } from '../text/shell-quoting.ts';
import { writeYaml } from '../text/yaml-text.ts';
import { Helm, helmArtifacts } from './helm-values.ts';
import { IamDocument, iamDocuments, podRoleStep } from './iam-documents.ts';
import { OutputsSoFar } from './outputs-so-far.ts';
import { ArtifactCommand, commands } from './shell-commands.ts';

const Entry = z
  .object({
    key: z.string().meta({ description: 'Key under which the consumer stores and reports the entry' }),
    legacy: z.record(z.string(), z.unknown()).meta({ description: 'Item for the list `aws`' }),
    configurations: z.record(z.string(), z.unknown()).meta({ description: 'Item for the list `aws.athena`' }),
    files: z
      .object({ legacy: z.string(), configurations: z.string() })
      .meta({ description: 'cloud-integration.json with this payer only, if there is no file yet' }),
  })
  .meta({
    id: 'EntryArtifacts',
    description:
      'The entry of the payer in both formats. An existing file keeps its format: add the entry in that format',
  });

const Cluster = z
  .object({
    manifest: z
      .string()
      .meta({ description: 'Namespace, Role and RoleBinding, for owners who set up the access themselves' }),
    accessEntry: z
      .object({ command: z.string(), cloudFormation: z.string() })
      .meta({ description: 'Gives the role of the deployment access, with the Kubernetes group of the RoleBinding' }),
    serviceAccount: z
      .string()
      .nullable()
      .meta({ description: 'Manifest of the service account that the pod role trusts' }),
  })
  .meta({ id: 'ClusterArtifacts' });

export const Artifacts = z
  .object({
    runId: z.string(),
    missing: z.array(StepNameView).meta({ description: 'Steps that have not run yet and whose results are null here' }),
    entry: Entry.nullable(),
    helm: Helm,
    iam: z.array(IamDocument),
    cluster: Cluster,
    commands: z.array(ArtifactCommand).meta({ description: 'Commands in the order of the run' }),
  })
  .meta({
    id: 'Artifacts',
    description:
      'Files to save and commands to run for a manual setup, from what the run knows so far. A dry run shows them as planned',
  });

/** @param provisionerArn role that the deployment assumes in the account of the cluster */
export function artifactsOf(run: RunRecord, provisionerArn: string): z.input<typeof Artifacts> {
  const known = new OutputsSoFar(run);
  const parts = {
    entry: known.when(['athena-results', 'crawler-table', 'payer-role'], () => entryArtifacts(entryOf(run))),
    helm: helmArtifacts(run, known),
    iam: iamDocuments(run, known),
    cluster: {
      manifest: renderClusterManifest({ ...run.request.kubecost, ...coveredNames(run) }),
      accessEntry: accessEntry(run, provisionerArn),
      serviceAccount: known.when([podRoleStep(run)], () => serviceAccount(run)),
    },
    commands: commands(run, known),
  };
  return { runId: run.runId, missing: known.missing, ...parts };
}

function entryArtifacts(entry: IntegrationEntry): z.input<typeof Entry> {
  const inFormat = (format: 'legacy' | 'configurations') =>
    z.record(z.string(), z.unknown()).parse(JSON.parse(renderEntry(entry, format)));
  const alone = (format: 'legacy' | 'configurations') => {
    const file = mergeEntries(undefined, [entry], { format, takeOver: false, ownedKeys: new Set() });
    if (file.kind === 'refused') throw new Error(`cannot render a file with one entry: ${file.detail}`);
    return file.text;
  };
  return {
    key: entryKey(entry),
    legacy: inFormat('legacy'),
    configurations: inFormat('configurations'),
    files: { legacy: alone('legacy'), configurations: alone('configurations') },
  };
}

function accessEntry({ request: { cluster } }: RunRecord, provisionerArn: string) {
  return {
    command: commandLine(
      ...['aws', 'eks', 'create-access-entry', '--cluster-name', cluster.name, '--region', cluster.region],
      ...['--principal-arn', provisionerArn, '--kubernetes-groups', groupName],
    ),
    cloudFormation: writeYaml({
      Resources: {
        KubecostOnboardingAccess: {
          Type: 'AWS::EKS::AccessEntry',
          Properties: { ClusterName: cluster.name, PrincipalArn: provisionerArn, KubernetesGroups: [groupName] },
        },
      },
    }),
  };
}

function serviceAccount(run: RunRecord): string {
  const { identity, kubecost } = run.request;
  const { podRoleArn, serviceAccount: name } = podRoleOf(run);
  const annotations = identity.mode === 'irsa' ? { [roleAnnotation]: podRoleArn } : undefined;
  return writeYaml({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: kubecost.namespace, annotations },
  });
}
