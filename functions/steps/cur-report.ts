import * as z from 'zod';
import {
  createReport,
  deliversTo,
  listReports,
  type Report,
  reportArn,
  reportPermissions,
  settingProblems,
} from '../../shared/billing/report-definition.ts';
import { firstDayOf, newReportWarnings } from '../../shared/billing/report-history.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type Situation, type StepChange } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['cur-report'];

interface Input {
  choice: Outputs['report-choice'];
  output: Output;
  /** When this run wrote the bucket's policy, milliseconds since the epoch; 0 if it did not. */
  policyAt: number;
}

/** Seconds until the billing service sees a bucket policy; before that it answers that the permission is missing. */
const policySeconds = 10;

type Change = StepChange & { action: 'create-report' };

/** `rejectedAt`: when AWS last rejected the report because it did not see its permission on the bucket, milliseconds since the epoch. */
const Notes = z.object({ rejectedAt: z.number().optional() });
type Notes = z.infer<typeof Notes>;

export const curReport = defineStep<'cur-report', Input, Report | undefined, Change, Notes>({
  name: 'cur-report',
  summary: 'Creates the Cost and Usage Report: daily, with resource ids, for Athena',
  permissions: { payer: [reportPermissions.list, reportPermissions.create] },
  notes: Notes,
  waits: { 'bucket-policy-rejected': { seconds: policySeconds, longestSeconds: 180 } },

  input({ run }) {
    const choice = outputOf(run, 'report-choice');
    const { reportKind, reportName, bucket, prefix, region } = choice;
    const policy = run.steps['cur-bucket']?.changes.findLast((change) => change.do === 'put-bucket-policy');
    return {
      choice,
      output: {
        reportKind,
        reportName,
        reportArn: reportArn(run.request.payerAccountId, reportName),
        bucket,
        prefix,
        region,
        adopted: choice.choice === 'adopt',
        dataSince: null,
      },
      policyAt: policy?.at ? Date.parse(policy.at) : 0,
    };
  },

  async observe(cx, { choice }) {
    return (await listReports(cx.payer)).find(({ reportName }) => reportName === choice.reportName);
  },

  plan(input, seen, { now, notes, run, changes }): Plan<Change, Output, Notes> {
    const { output, policyAt } = input;
    const { reportName, bucket } = output;
    if (seen) return planExisting(input, seen, createdAt(changes));
    if (output.adopted)
      return { kind: 'refuse', code: 'no-usable-report', detail: `report ${reportName} does not exist any more` };
    const tooEarly = now < policyAt + policySeconds * 1000;
    if ((tooEarly || notes.rejectedAt === now) && !run.request.dryRun)
      return waitFor(
        {
          reason: `AWS to recognize its permission on bucket ${bucket}`,
          seconds: policySeconds,
          deadlineSeconds: 180,
          overdue: 'bucket-policy-rejected',
        },
        output,
      );
    return {
      kind: 'change',
      changes: [{ action: 'create-report', resource: output.reportArn }],
      expected: { ...output, dataSince: firstDayOf(now) },
    };
  },

  async apply(cx, _, { input: { choice } }) {
    const answer = await createReport(cx.payer, choice, cx.owner);
    if (answer === 'bucket-not-seen') return { outcome: 'not-changed', notes: { rejectedAt: cx.now } };
    return answer === 'created' ? 'changed' : 'not-changed';
  },
});

function createdAt(changes: Situation['changes']): number | undefined {
  const at = changes.findLast((change) => change.do === 'create-report')?.at;
  return at ? Date.parse(at) : undefined;
}

function planExisting(
  { choice, output }: Input,
  seen: Report,
  created: number | undefined,
): Plan<Change, Output, Notes> {
  const location = `it delivers to s3://${seen.bucket}/${seen.prefix} in ${seen.region}`;
  const problems = [...settingProblems(seen), ...(deliversTo(seen, choice) ? [] : [location])];
  if (problems.length === 0)
    return created === undefined
      ? { kind: 'ready', output }
      : {
          kind: 'ready',
          output: { ...output, dataSince: firstDayOf(created) },
          warnings: newReportWarnings(output, created),
        };
  return { kind: 'refuse', code: 'report-differs', detail: `report ${choice.reportName}: ${problems.join(', ')}` };
}

export const handler = stepHandler(curReport);
