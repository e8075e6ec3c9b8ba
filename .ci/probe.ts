import { parseArgs } from 'node:util';
import { probe } from '../shared/probe/probe.ts';

const usage = `npm run probe -- --payer <account id> [--role <arn>] [--cluster <arn or account/region/name>] [--cluster-role <arn>]

Reads what only a real account can tell, and prints it without account ids, names and hashes, to be sent back: layout of the
reports, differences of the crawler template, policies of the report buckets, denials of S3, tables, encryption, Lake Formation and,
with --cluster, how the cluster lets people and pods in. It changes nothing: each call is a Describe, Get, Head or List.

Credentials are found as the AWS CLI finds them; AWS_PROFILE selects a profile. With --role the payer account is read through a role.
The cluster is read with the same credentials, or through --cluster-role. A call that fails is printed with its code and message.`;

const { values } = parseArgs({
  options: {
    payer: { type: 'string' },
    role: { type: 'string' },
    cluster: { type: 'string' },
    'cluster-role': { type: 'string' },
    help: { type: 'boolean' },
  },
});
const cluster = values.cluster === undefined ? undefined : clusterOf(values.cluster);
if (values.help) console.log(usage);
else if (!/^\d{12}$/.test(values.payer ?? '') || cluster === null) {
  console.error(usage);
  process.exitCode = 2;
} else
  console.log(
    await probe({
      payerAccountId: values.payer ?? '',
      role: values.role,
      cluster: cluster && { ...cluster, role: values['cluster-role'] },
    }),
  );

/** Null for a text that names no cluster. */
function clusterOf(text: string): { region: string; name: string } | null {
  const form = /^(?:arn:aws:eks:([\w-]+):\d{12}:cluster\/|\d{12}\/([\w-]+)\/)([A-Za-z0-9][\w-]*)$/.exec(text);
  const [, fromArn, fromPath, name] = form ?? [];
  const region = fromArn ?? fromPath;
  return region && name ? { region, name } : null;
}
