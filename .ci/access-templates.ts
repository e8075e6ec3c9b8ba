import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Account } from '../functions/deployment/access-parameters.ts';
import { renderAccessTemplate } from '../functions/deployment/access-templates.ts';

/** A link that opens the console with the parameters of the stack; it needs the template in S3. */
function quickCreateLink(templateUrl: string, account: Account, hubAccountId: string, deploymentId: string): string {
  const query = new URLSearchParams({
    templateURL: templateUrl,
    stackName: `kubecost-${account}-provisioner`,
    param_HubAccountId: hubAccountId,
    param_DeploymentId: deploymentId,
  });
  return `https://console.aws.amazon.com/cloudformation/home#/stacks/create/review?${query.toString()}`;
}

const usage = `npm run access-templates -- [--hub-account <id>] [--deployment-id <id>] [--template-url <https url of the folder in S3>]

Writes docs/access/payer-provisioner.yaml and docs/access/cluster-provisioner.yaml and prints the commands that deploy them.
Deploy the payer template as a stack or with the quick-create link (StackSets skip management accounts). You can deploy the
cluster template as a StackSet too.`;

const { values } = parseArgs({
  options: {
    'hub-account': { type: 'string', default: '<hub account id>' },
    'deployment-id': { type: 'string', default: '<deployment id>' },
    'template-url': { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(usage);
  process.exit();
}
await mkdir('docs/access', { recursive: true });
const parameters = `HubAccountId=${values['hub-account']} DeploymentId=${values['deployment-id']}`;
for (const account of ['payer', 'cluster'] as const) {
  const file = `docs/access/${account}-provisioner.yaml`;
  await writeFile(file, renderAccessTemplate(account));
  console.log(`${file}\n  in the ${account} account:`);
  console.log(
    `  aws cloudformation deploy --stack-name kubecost-${account}-provisioner --template-file ${file} --capabilities CAPABILITY_NAMED_IAM --parameter-overrides ${parameters}`,
  );
  const url = values['template-url'];
  if (url)
    console.log(
      `  ${quickCreateLink(`${url}/${account}-provisioner.yaml`, account, values['hub-account'], values['deployment-id'])}`,
    );
}
