import { parseArgs } from 'node:util';
import { probe, type ProbeRequest } from '../shared/probe/probe.ts';

const usage = `npm run probe -- --payer <account id> [--role <arn>] [--cluster <arn or account/region/name>] [--cluster-role <arn>]

Reads from a real account what this project could not test, and prints it without account ids, names and hashes, so that you can send
it to us: layout of the reports, differences of the crawler template, policies of the report buckets, denials of S3, tables,
encryption, Lake Formation and, with --cluster, how people and pods get access to the cluster. It changes nothing: each call is a
Describe, Get, Head or List.

Credentials are found as the AWS CLI finds them; AWS_PROFILE selects a profile. With --role the payer account is read through a role.
The cluster is read with the same credentials, or through --cluster-role. A call that fails is printed with its code and message.`;

const options = {
  payer: { type: 'string' },
  role: { type: 'string' },
  cluster: { type: 'string' },
  'cluster-role': { type: 'string' },
  help: { type: 'boolean' },
} as const;

const question = questionOf();
if (question) console.log(question === 'help' ? usage : await probe(question));
else process.exitCode = 2;

/** Prints what is wrong with the arguments, and is undefined then. */
function questionOf(): ProbeRequest | 'help' | undefined {
  try {
    const { values } = parseArgs({ options });
    return values.help ? 'help' : requestOf(values);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    return undefined;
  }
}

/** @throws TypeError as parseArgs does */
function requestOf(values: Partial<Record<'payer' | 'role' | 'cluster' | 'cluster-role', string>>): ProbeRequest {
  const { payer = '', role, cluster: text, 'cluster-role': clusterRole } = values;
  if (!/^\d{12}$/.test(payer)) throw new TypeError('--payer must be an account id of 12 digits');
  if (text === undefined && clusterRole !== undefined) throw new TypeError('--cluster-role needs --cluster');
  const cluster = text === undefined ? undefined : clusterOf(text);
  if (cluster === null) throw new TypeError('--cluster must be an ARN or <account id>/<region>/<name>');
  return { payerAccountId: payer, role, cluster: cluster && { ...cluster, role: clusterRole } };
}

/** Null for a text that names no cluster. */
function clusterOf(text: string): { region: string; name: string } | null {
  const form = /^(?:arn:aws:eks:([\w-]+):\d{12}:cluster\/|\d{12}\/([\w-]+)\/)([A-Za-z0-9][\w-]*)$/.exec(text);
  const [, fromArn, fromPath, name] = form ?? [];
  const region = fromArn ?? fromPath;
  return region && name ? { region, name } : null;
}
