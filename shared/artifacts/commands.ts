import * as z from 'zod';
import { roleAnnotation } from '../access/service-account.ts';
import { dataPolicyName, grantPolicyName, tagsPolicyName } from '../aws/names.ts';
import { statusRoute } from '../kubecost/connection-status.ts';
import type { KnownOutputs } from '../model/known-outputs.ts';
import { outputOf, podRoleOf, type RunRecord } from '../model/run.ts';
import { StepNameView } from '../model/run-schemas.ts';
import type { StepName } from '../model/step-names.ts';
import { clusterArnOf } from '../model/target.ts';
import { commandLine, quoted } from '../text/shell-quoting.ts';
import { podRoleStep } from './iam-documents.ts';

const Tool = z.enum(['aws', 'eksctl', 'kubectl', 'curl']);

export const ArtifactCommand = z
  .object({
    step: StepNameView,
    tool: Tool,
    does: z.string(),
    command: z.string().nullable().meta({ description: 'One line for a POSIX shell' }),
  })
  .meta({ id: 'ArtifactCommand' });
type ArtifactCommand = z.infer<typeof ArtifactCommand>;

/** Null arguments: not known yet. */
function line(
  step: StepName,
  tool: z.infer<typeof Tool>,
  does: string,
  args: readonly string[] | null,
): ArtifactCommand {
  return { step, tool, does, command: args && commandLine(tool, ...args) };
}

/** What the run does, in its order, for teams that do it themselves. The documents lie in files named as in the artifacts. */
export function commands(run: RunRecord, known: KnownOutputs): ArtifactCommand[] {
  return [
    ...clusterCommands(run),
    ...bucketCommands(run, known),
    ...(run.request.identity.mode === 'irsa' ? irsaCommands(run, known) : podIdentityCommands(run, known)),
    ...roleCommands(run, known),
    ...secretCommands(run),
    ...workloadCommands(run, known),
  ];
}

function clusterCommands({ request }: RunRecord): ArtifactCommand[] {
  const { cluster, kubecost } = request;
  const context = ['eks', 'update-kubeconfig', '--region', cluster.region, '--name', cluster.name];
  const create = ['create', 'namespace', kubecost.namespace];
  return [
    line('cluster-access', 'aws', 'Points kubectl to the cluster', context),
    ...(kubecost.createNamespace ? [line('cluster-access', 'kubectl', 'Makes the namespace', create)] : []),
  ];
}

function bucketCommands(run: RunRecord, known: KnownOutputs): ArtifactCommand[] {
  if (known.find('cur-bucket')?.adopted) return [];
  const args = known.when(['cur-bucket'], () => {
    const { bucket } = outputOf(run, 'cur-bucket');
    const owner = ['--expected-bucket-owner', run.request.payerAccountId];
    return ['s3api', 'put-bucket-policy', '--bucket', bucket, ...owner, '--policy', 'file://cur-bucket-policy.json'];
  });
  return [line('cur-bucket', 'aws', 'In the payer account: lets AWS deliver; replaces the bucket’s policy', args)];
}

const nameOf = (arn: string) => arn.split('/').at(-1) ?? '';

function irsaCommands(run: RunRecord, known: KnownOutputs): ArtifactCommand[] {
  const { cluster, kubecost } = run.request;
  const at = ['--cluster', cluster.name, '--region', cluster.region];
  const inNamespace = ['--namespace', kubecost.namespace];
  const withRole = (render: (role: { podRoleArn: string; serviceAccount: string }) => string[]) =>
    known.when(['pod-role'], () => render(podRoleOf(run)));
  return [
    line('pod-role', 'eksctl', 'Makes the cluster’s OIDC provider known to IAM', [
      ...['utils', 'associate-iam-oidc-provider'],
      ...at,
      '--approve',
    ]),
    line(
      'pod-role',
      'aws',
      'In the cluster account: makes the pod’s role',
      withRole(({ podRoleArn }) => createRole(podRoleArn, 'pod-role-trust.json')),
    ),
    line(
      'pod-role',
      'kubectl',
      'Makes the service account where neither chart nor anybody else does',
      withRole(({ serviceAccount }) => ['create', 'serviceaccount', serviceAccount, ...inNamespace]),
    ),
    line(
      'pod-role',
      'kubectl',
      'Gives the role to the service account; a chart’s takes it from the Helm values, or the next upgrade drops it',
      withRole(({ podRoleArn, serviceAccount }) => [
        ...['annotate', 'serviceaccount', serviceAccount],
        ...inNamespace,
        `${roleAnnotation}=${podRoleArn}`,
      ]),
    ),
    line(
      'pod-role',
      'eksctl',
      'In place of role, service account and annotation above, once the policy of the step grant exists: makes all three, in a stack of its own',
      withRole(({ podRoleArn, serviceAccount }) => [
        ...['create', 'iamserviceaccount'],
        ...at,
        ...inNamespace,
        ...['--name', serviceAccount, '--role-name', nameOf(podRoleArn)],
        ...['--attach-policy-arn', grantArn(run), '--approve'],
      ]),
    ),
  ];
}

function podIdentityCommands(run: RunRecord, known: KnownOutputs): ArtifactCommand[] {
  const { cluster, kubecost } = run.request;
  const create = known.when(['pod-identity'], () => createRole(podRoleOf(run).podRoleArn, 'pod-role-trust.json'));
  const associate = known.when(['pod-identity'], () => {
    const { podRoleArn, serviceAccount } = podRoleOf(run);
    return ['--namespace', kubecost.namespace, '--service-account-name', serviceAccount, '--role-arn', podRoleArn];
  });
  const at = ['--cluster', cluster.name, '--region', cluster.region];
  return [
    line('pod-identity', 'aws', 'In the cluster account: makes the pod’s role', create),
    line(
      'pod-identity',
      'eksctl',
      'Gives the role to the service account’s pods',
      associate && ['create', 'podidentityassociation', ...at, ...associate],
    ),
  ];
}

/** An adopted role may have a path, which the other documents name. */
function createRole(roleArn: string, trust: string): string[] {
  const path = roleArn.split('/').slice(1, -1);
  return [
    ...['iam', 'create-role', '--role-name', nameOf(roleArn)],
    ...(path.length > 0 ? ['--path', `/${path.join('/')}/`] : []),
    ...['--assume-role-policy-document', `file://${trust}`],
  ];
}

function grantArn(run: RunRecord): string {
  const { kubecost, cluster } = run.request;
  const name = grantPolicyName(clusterArnOf(run.request), kubecost.namespace, podRoleOf(run).serviceAccount);
  return `arn:aws:iam::${cluster.accountId}:policy/${name}`;
}

function roleCommands(run: RunRecord, known: KnownOutputs): ArtifactCommand[] {
  const podStep = podRoleStep(run);
  const payerRole = (render: (roleArn: string) => string[]) =>
    known.when(['payer-role'], () => render(outputOf(run, 'payer-role').payerRoleArn));
  const putPolicy = (name: string, file: string) =>
    payerRole((arn) => [
      ...['iam', 'put-role-policy', '--role-name', nameOf(arn)],
      ...['--policy-name', name, '--policy-document', `file://${file}`],
    ]);
  const createGrant = known.when([podStep], () => [
    ...['iam', 'create-policy', '--policy-name', nameOf(grantArn(run))],
    ...['--policy-document', 'file://pod-role-grant.json'],
  ]);
  const attach = known.when([podStep], () => [
    ...['iam', 'attach-role-policy', '--role-name', nameOf(podRoleOf(run).podRoleArn)],
    ...['--policy-arn', grantArn(run)],
  ]);
  const createPayerRole = payerRole((arn) => createRole(arn, 'payer-role-trust.json'));
  return [
    line('payer-role', 'aws', 'In the payer account: makes the role that Kubecost assumes', createPayerRole),
    line('grant', 'aws', 'In the cluster account: makes the policy that lets the pod into the payer role', createGrant),
    line('grant', 'aws', 'In the cluster account: attaches it to the pod’s role', attach),
    line(
      'payer-policy',
      'aws',
      'In the payer account: lets the role read the bill',
      putPolicy(dataPolicyName, 'payer-role-data.json'),
    ),
    line(
      'payer-policy',
      'aws',
      'In the payer account: lets the role read the names and tags of the organisation’s accounts',
      putPolicy(tagsPolicyName, 'payer-role-tags.json'),
    ),
  ];
}

/** The file may hold other payers and other clouds' keys: it is completed, never replaced. */
function secretCommands({ request }: RunRecord): ArtifactCommand[] {
  const { namespace, secretName } = request.kubecost;
  const place = [secretName, '--namespace', namespace];
  const read = commandLine(
    'kubectl',
    'get',
    'secret',
    ...place,
    '--output',
    'jsonpath={.data.cloud-integration\\.json}',
  );
  const patch = commandLine('kubectl', 'patch', 'secret', ...place, '--type', 'merge', '--patch');
  const encoded = `$(base64 < cloud-integration.json | tr -d '\\n')`;
  return [
    line('publish', 'kubectl', 'Makes the secret; fails where there is one, for a file that exists has to be merged', [
      ...['create', 'secret', 'generic'],
      ...place,
      '--from-file=cloud-integration.json',
    ]),
    {
      step: 'publish',
      tool: 'kubectl',
      does: 'Where there is a secret: saves its file, to add the entry in the format the file has',
      command: `${read} | base64 --decode > cloud-integration.json`,
    },
    {
      step: 'publish',
      tool: 'kubectl',
      does: 'Puts the completed file back, in a secret that no Helm release or GitOps tool owns; theirs is changed at its source',
      command: `${patch} "{\\"data\\":{\\"cloud-integration.json\\":\\"${encoded}\\"}}"`,
    },
  ];
}

/** None of what is not installed. */
function workloadCommands(run: RunRecord, known: KnownOutputs): ArtifactCommand[] {
  const found = known.when(['discovery'], () => outputOf(run, 'discovery'));
  const inNamespace = ['--namespace', run.request.kubecost.namespace];
  const commands: ArtifactCommand[] = [];
  if (found?.workload != null) {
    const { workload, container } = found;
    commands.push(
      line(
        'load-proof',
        'kubectl',
        'Has the pods take up role and file: after the role was given, and after a change of the file where it is mounted with subPath',
        [...['rollout', 'restart', workload], ...inNamespace],
      ),
      line('load-proof', 'kubectl', 'Shows what the reader of the bill says', [
        ...['logs', workload],
        ...inNamespace,
        ...(container === null ? [] : ['--container', container]),
        ...['--since', '10m'],
      ]),
    );
  }
  const statusService = found?.statusService ?? '';
  const [, service, port] = statusService.split(':');
  if (service !== undefined && port !== undefined)
    commands.push(
      line('load-proof', 'kubectl', 'Opens a way to the status, until it is stopped', [
        ...['port-forward', `service/${service}`, `${port}:${port}`],
        ...inNamespace,
      ]),
      {
        step: 'load-proof',
        tool: 'curl',
        does: 'Reads the status: connectionStatus of the entry’s key has to become Connection Successful',
        command: `curl --silent ${quoted(`http://localhost:${port}${statusRoute(statusService)}`)}`,
      },
    );
  return commands;
}
