import { readAccountFacts, readRegionFacts } from './account-facts.ts';
import { readBucketFacts, readDenials } from './bucket-facts.ts';
import { type ClusterPlace, readClusterFacts } from './cluster-facts.ts';
import { FactList } from './fact-list.ts';
import { enterAccount, type ProbedAccount } from './probed-account.ts';
import { readReports } from './report-facts.ts';
import { readTableFacts } from './table-facts.ts';

export interface ProbeRequest {
  payerAccountId: string;
  /** A role in the payer account that the caller may assume; the caller's own credentials are used without it. */
  role?: string | undefined;
  cluster?: (ClusterPlace & { role?: string | undefined }) | undefined;
}

/** What only a real account can tell, as text without names and ids. Only reads; a call that fails is part of the text. */
export async function probe({ payerAccountId, role, cluster }: ProbeRequest): Promise<string> {
  const facts = new FactList();
  facts.redaction.name('payer', payerAccountId);
  const payer = await enter(role, facts, 'payer account');
  if (payer) {
    if (payer.accountId === payerAccountId) await probePayer(payer, facts);
    else facts.add('Access', 'payer account', `the credentials are for ${payer.accountId}, not for ${payerAccountId}`);
  }
  if (cluster) {
    const account = await enter(cluster.role, facts, 'cluster account');
    if (account) await readClusterFacts(account, cluster, facts);
  }
  for (const [name, how] of Object.entries(notReadable)) facts.add('Not readable', name, how);
  return facts.text();
}

/** What no read tells, and where else it can be seen. */
const notReadable = {
  'source ARN of AWS’s deliveries': 'a data event of CloudTrail for PutObject in the bucket shows it',
  'a new report for this payer':
    'only the first run tells: its log has the line "AWS refuses a report" with code and text',
  'AssumeRoleForPodIdentity from outside a node': 'the level of the run’s chain-proof tells',
  'CloudFormation with our rights': 'the evidence of the step crawler-stack tells',
  'the service proxy behind security groups': 'the source of the run’s load-proof tells',
};

async function enter(role: string | undefined, facts: FactList, name: string): Promise<ProbedAccount | undefined> {
  facts.redaction.name('role', role?.split('/').at(-1));
  return facts.ask(
    'Access',
    name,
    () => enterAccount(role),
    ({ callerArn }) => callerArn.split(/[:/]/).slice(0, 6).join(':'),
  );
}

async function probePayer(payer: ProbedAccount, facts: FactList): Promise<void> {
  await readAccountFacts(payer, facts);
  const reports = await readReports(payer, facts);
  const regions = new Set(reports.map(({ S3Region }) => S3Region).filter((region) => region !== ''));
  for (const region of regions.size > 0 ? regions : ['us-east-1']) await readRegionFacts(payer, region, facts);
  for (const report of reports) {
    await readBucketFacts(payer, report, facts);
    await readTableFacts(payer, report, facts);
  }
  await readDenials(payer, reports[0]?.S3Bucket, facts);
}
