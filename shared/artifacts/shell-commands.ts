import * as z from 'zod';
import { roleAnnotation } from '../access/service-account.ts';
import { dataPolicyName, grantPolicyName, tagsPolicyName } from '../aws/names.ts';
import { statusRoute } from '../kubecost/connection-status.ts';
import { outputOf, podRoleOf, type RunRecord } from '../model/run.ts';
import { StepNameView } from '../model/run-schemas.ts';
import type { StepName } from '../model/step-names.ts';
import { clusterArnOf } from '../model/target.ts';
import { commandLine, quoted } from '../text/shell-quoting.ts';
import { podRoleStep } from './iam-documents.ts';
import type { OutputsSoFar } from './outputs-so-far.ts';

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

/** Arguments are null if they are not known yet. */
function line(
  step: StepName,
  tool: z.infer<typeof Tool>,
  does: string,
  args: readonly string[] | null,
): ArtifactCommand {
  return { step, tool, does, command: args && commandLine(tool, ...args) };
}

/** Commands that do the same as the run, in its order, for a manual setup. The documents are in files with the names of the artifacts. */
export function commands(run: RunRecord, known: OutputsSoFar): ArtifactCommand[] {
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
    line('cluster-access', 'aws', 'Configures kubectl for the cluster', context),
    ...(kubecost.createNamespace ? [line('cluster-access', 'kubectl', 'Creates the namespace', create)] : []),
  ];
}

function bucketCommands(run: RunRecord, known: OutputsSoFar): ArtifactCommand[] {
  if (known.find('cur-bucket')?.adopted) return [];
  const args = known.when(['cur-bucket'], () => {
    const { bucket } = outputOf(run, 'cur-bucket');
    const owner = ['--expected-bucket-owner', run.request.payerAccountId];
    return ['s3api', 'put-bucket-policy', '--bucket', bucket, ...owner, '--policy', 'file://cur-bucket-policy.json'];
  });
  return [
    line(
      'cur-bucket',
      'aws',
      'In the payer account: allows AWS to deliver the report; replaces the policy of the bucket',
      args,
    ),
  ];
}

const nameOf = (arn: string) => arn.split('/').at(-1) ?? '';

function irsaCommands(run: RunRecord, known: OutputsSoFar): ArtifactCommand[] {
  const { cluster, kubecost } = run.request;
  const at = ['--cluster', cluster.name, '--region', cluster.region];
  const inNamespace = ['--namespace', kubecost.namespace];
  const withRole = (render: (role: { podRoleArn: string; serviceAccount: string }) => string[]) =>
    known.when(['pod-role'], () => render(podRoleOf(run)));
  return [
    line('pod-role', 'eksctl', 'Registers the OIDC provider of the cluster in IAM', [
      ...['utils', 'associate-iam-oidc-provider'],
      ...at,
      '--approve',
    ]),
    line(
      'pod-role',
      'aws',
      'In the cluster account: creates the pod role',
      withRole(({ podRoleArn }) => createRole(podRoleArn, 'pod-role-trust.json')),
    ),
    line(
      'pod-role',
      'kubectl',
      'Creates the service account, unless the chart or another tool creates it',
      withRole(({ serviceAccount }) => ['create', 'serviceaccount', serviceAccount, ...inNamespace]),
    ),
    line(
      'pod-role',
      'kubectl',
      'Annotates the service account with the role. If the chart creates the service account, set the annotation in the Helm values instead; otherwise the next upgrade removes it',
      withRole(({ podRoleArn, serviceAccount }) => [
        ...['annotate', 'serviceaccount', serviceAccount],
        ...inNamespace,
        `${roleAnnotation}=${podRoleArn}`,
      ]),
    ),
    line(
      'pod-role',
      'eksctl',
      'Alternative to the commands above for role, service account and annotation: creates all three in a separate stack. The policy of the step grant must exist',
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

function podIdentityCommands(run: RunRecord, known: OutputsSoFar): ArtifactCommand[] {
  const { cluster, kubecost } = run.request;
  const create = known.when(['pod-identity'], () => createRole(podRoleOf(run).podRoleArn, 'pod-role-trust.json'));
  const associate = known.when(['pod-identity'], () => {
    const { podRoleArn, serviceAccount } = podRoleOf(run);
    return ['--namespace', kubecost.namespace, '--service-account-name', serviceAccount, '--role-arn', podRoleArn];
  });
  const at = ['--cluster', cluster.name, '--region', cluster.region];
  return [
    line('pod-identity', 'aws', 'In the cluster account: creates the pod role', create),
    line(
      'pod-identity',
      'eksctl',
      'Associates the role with the service account',
      associate && ['create', 'podidentityassociation', ...at, ...associate],
    ),
  ];
}

/** An adopted role may have a path, which is part of its ARN in the other documents. */
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

function roleCommands(run: RunRecord, known: OutputsSoFar): ArtifactCommand[] {
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
    line('payer-role', 'aws', 'In the payer account: creates the role that Kubecost assumes', createPayerRole),
    line(
      'grant',
      'aws',
      'In the cluster account: creates the policy that allows the pod to assume the payer role',
      createGrant,
    ),
    line('grant', 'aws', 'In the cluster account: attaches the policy to the pod role', attach),
    line(
      'payer-policy',
      'aws',
      'In the payer account: allows the role to read the bill',
      putPolicy(dataPolicyName, 'payer-role-data.json'),
    ),
    line(
      'payer-policy',
      'aws',
      'In the payer account: allows the role to read the names and tags of the accounts in the organisation',
      putPolicy(tagsPolicyName, 'payer-role-tags.json'),
    ),
  ];
}

/** The file may have entries of other payers and clouds, so the commands add to it and never replace it. */
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
    line('publish', 'kubectl', 'Creates the secret. Fails if the secret exists: then use the next two commands', [
      ...['create', 'secret', 'generic'],
      ...place,
      '--from-file=cloud-integration.json',
    ]),
    {
      step: 'publish',
      tool: 'kubectl',
      does: 'If the secret exists: saves its file. Add the entry to it, in the format of the file',
      command: `${read} | base64 --decode > cloud-integration.json`,
    },
    {
      step: 'publish',
      tool: 'kubectl',
      does: 'Writes the edited file to the secret. If a Helm release or a GitOps tool owns the secret, change its source instead',
      command: `${patch} "{\\"data\\":{\\"cloud-integration.json\\":\\"${encoded}\\"}}"`,
    },
  ];
}

/** Empty if nothing is installed. */
function workloadCommands(run: RunRecord, known: OutputsSoFar): ArtifactCommand[] {
  const found = known.when(['discovery'], () => outputOf(run, 'discovery'));
  const inNamespace = ['--namespace', run.request.kubecost.namespace];
  const commands: ArtifactCommand[] = [];
  if (found?.workload != null) {
    const { workload, container } = found;
    commands.push(
      line(
        'load-proof',
        'kubectl',
        'Restarts the pods, so that they get the role and load the file. Needed after the role is set, and after a change of the file if it is mounted with subPath',
        [...['rollout', 'restart', workload], ...inNamespace],
      ),
      line('load-proof', 'kubectl', 'Shows the log of the container that reads the bill', [
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
      line('load-proof', 'kubectl', 'Forwards the status port, until you stop the command', [
        ...['port-forward', `service/${service}`, `${port}:${port}`],
        ...inNamespace,
      ]),
      {
        step: 'load-proof',
        tool: 'curl',
        does: 'Reads the status. connectionStatus of the entry’s key must become Connection Successful',
        command: `curl --silent ${quoted(`http://localhost:${port}${statusRoute(statusService)}`)}`,
      },
    );
  return commands;
}
