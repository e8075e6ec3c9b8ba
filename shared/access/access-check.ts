/** Tells before anything is made which parameter of the access template does not cover what a run needs, and the value that would. */
import { athenaResultsBucketName, curBucketName, payerRoleName } from '../aws/names.ts';
import { findWorkgroup, workgroupPermissions, workgroupPlace } from '../billing/athena-workgroup.ts';
import { findBucketName } from '../billing/bucket-name.ts';
import { curBucketPermissions } from '../billing/cur-bucket.ts';
import {
  catalogKeyObstacle,
  customerKeys,
  type KeyInPlay,
  keyPermissions,
  keysInPlay,
  type Places,
} from '../billing/keys-in-play.ts';
import { bestReport } from '../billing/report-assessment.ts';
import type { Report } from '../billing/report-definition.ts';
import { resultsBucketPermissions, resultsPlace } from '../billing/results-bucket.ts';
import type { OnboardingRequest } from '../model/run-requests.ts';
import type { Permission, StepContext } from '../step/contract.ts';
import type { ProblemList } from '../step/problem-list.ts';
import {
  type Access,
  covers,
  crawlerGrant,
  grantedKeys,
  maxKeys,
  type NameParameter,
  parameterProblem,
  readAccessPermission,
  tooOldFor,
} from './access-template.ts';

export const accessCheckPermissions: readonly Permission[] = [
  readAccessPermission,
  workgroupPermissions.read,
  keyPermissions.findCatalogKey,
  curBucketPermissions.findOwner,
  curBucketPermissions.readKey,
  resultsBucketPermissions.readKey,
];

interface Checked {
  request: OnboardingRequest;
  access: Access;
  /** Every report of the account. */
  reports: readonly Report[];
}

export async function checkPayerAccess(cx: StepContext, checked: Checked, findings: ProblemList): Promise<void> {
  checkParameters(checked, findings);
  const { request, access } = checked;
  const adopted = adoptedReport(checked);
  const region = adopted?.region ?? request.report.region;
  const results = await checkResults(cx, region, checked, findings);
  const buckets = [...(await curBuckets(cx, checked, adopted, region, findings)), ...results.buckets];
  const keys = await findings.look(() => keysInPlay(cx.payer, region, { ...results, buckets }));
  const arns = (keys ?? []).map(({ arn }) => arn);
  const customers = await customerKeys(cx.payer, region, arns);
  const theirs = (keys ?? []).filter(({ arn }) => customers.includes(arn));
  checkKeys(access, theirs, findings);
  const ofCatalog = theirs.find((key) => key.ofCatalog);
  if (ofCatalog && request.crawler === 'template')
    findings.add('crawler-template-unusable', catalogKeyObstacle(ofCatalog.arn));
}

function adoptedReport({ request: { report }, reports }: Checked): Report | undefined {
  return report.mode === 'create' ? undefined : bestReport(reports, report, {});
}

/** The bucket of the report, if our role may read it. A later step decides about an adopted report that our role may not read. */
async function curBuckets(
  cx: StepContext,
  { request, access }: Checked,
  adopted: Report | undefined,
  region: string,
  findings: ProblemList,
): Promise<Places['buckets']> {
  if (adopted) {
    const covered = covers(access, 'CurBucket', adopted.bucket);
    return covered === false ? [] : [{ name: adopted.bucket, mayBeDenied: covered === undefined }];
  }
  const { bucket, mode } = request.report;
  const usual = bucket ?? curBucketName(request.payerAccountId, region);
  if (mode === 'adopt' || !checkName(access, 'CurBucket', usual, 'bucket', findings)) return [];
  const name = bucket ?? (await ownBucketName(cx, 'CurBucket', usual, region, findings));
  return name === undefined ? [] : [{ name, mayBeDenied: false }];
}

/** The name of a bucket that no request names; undefined if S3 denies our role each form of it. */
async function ownBucketName(
  cx: StepContext,
  parameter: NameParameter,
  usual: string,
  region: string,
  findings: ProblemList,
): Promise<string | undefined> {
  const { name, isDenied } = await findBucketName(cx.payer, usual, region);
  if (!isDenied) return name;
  findings.problems.push(parameterProblem(parameter, name, `S3 denies our role bucket ${name}`));
  return undefined;
}

/** Workgroup and bucket of the results, as far as our role may read them. */
async function checkResults(
  cx: StepContext,
  region: string,
  { request: { payerAccountId, athena }, access }: Checked,
  findings: ProblemList,
): Promise<Places> {
  const place = workgroupPlace(payerAccountId, region, athena.workgroup);
  const isRead = checkName(access, 'AthenaWorkgroup', place.name, 'workgroup', findings);
  const workgroup = isRead ? await findings.look(() => findWorkgroup(cx.payer, place)) : undefined;
  const defaultBucket = athenaResultsBucketName(payerAccountId, region);
  const usual = resultsPlace({ requestedBucket: athena.resultsBucket, defaultBucket }, workgroup);
  const isCovered = checkName(access, 'AthenaResultsBucket', usual.bucket, 'results bucket', findings);
  const own = isCovered && !usual.isNamed;
  const name = own ? await ownBucketName(cx, 'AthenaResultsBucket', usual.bucket, region, findings) : usual.bucket;
  return {
    buckets: isCovered && name !== undefined ? [{ name, mayBeDenied: false }] : [],
    workgroup: { name: place.name, key: workgroup?.kmsKey },
  };
}

/** What the request alone decides. */
function checkParameters({ request, access, reports }: Checked, findings: ProblemList): void {
  const { crawler, report } = request;
  checkName(access, 'PayerRole', payerRoleName, 'role', findings);
  const boundary = access?.parameters.PermissionsBoundary ?? 'none';
  if (boundary !== 'none')
    findings.problems.push(
      parameterProblem('PermissionsBoundary', 'none', 'this release makes roles without a permissions boundary'),
    );
  if (crawler === 'template' && crawlerGrant(access) !== 'full')
    findings.problems.push(parameterProblem('Crawler', 'full', 'crawler: template deploys AWS’s crawler template'));
  const old = crawler === 'template' ? undefined : tooOldFor(access, 'a table of our own', 1);
  if (!old) return;
  const isNeeded = crawler !== 'auto' && (report.mode === 'create' || reports.length === 0);
  if (isNeeded) findings.problems.push(old);
  else findings.warnings.push(`${old.detail}: a run that needs one will fail`);
}

/** @returns false if the template does not cover the name */
function checkName(
  access: Access,
  parameter: NameParameter,
  name: string,
  what: string,
  findings: ProblemList,
): boolean {
  if (covers(access, parameter, name) !== false) return true;
  findings.problems.push(parameterProblem(parameter, name, `our role may not use ${what} ${name}`));
  return false;
}

/** @param arn `key/*` for a key that settings name by an alias which our role cannot resolve, such as one of another account */
function isKey(granted: string, arn: string): boolean {
  return granted === arn || (arn.endsWith('*') && granted.startsWith(arn.slice(0, -1)));
}

/** Every key that the template does not name, with the parameter's whole new value. */
function checkKeys(access: Access, keys: readonly KeyInPlay[], findings: ProblemList): void {
  const granted = grantedKeys(access);
  const missing = keys.filter(({ arn }) => !granted?.some((key) => isKey(key, arn)));
  if (missing.length === 0) return;
  const named = missing.map(({ arn, of }) => `${arn} of ${of}`).join(' and ');
  const old = tooOldFor(access, `KMS key ${named}`, 1);
  const value = [...new Set([...(granted ?? []), ...missing.map(({ arn }) => arn)])];
  const hidden = missing.filter(({ arn }) => arn.endsWith('*'));
  if (old) findings.problems.push(old);
  else if (hidden.length > 0) {
    const whose = hidden.map(({ arn, of }) => `${of} in account ${arn.split(':')[4] ?? ''}`).join(' and ');
    const why = `our role may not use KMS key ${named}, whose ARN an alias hides`;
    findings.problems.push(parameterProblem('KmsKeys', `a list with the ARN of the key of ${whose}`, why));
  } else if (value.length > maxKeys)
    findings.warnings.push(`our role may not use KMS key ${named}, and parameter KmsKeys cannot name it`);
  else findings.problems.push(parameterProblem('KmsKeys', value.join(','), `our role may not use KMS key ${named}`));
}
