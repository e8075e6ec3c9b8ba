import * as z from 'zod';
import {
  listReports,
  putReport,
  type Report,
  reportArn,
  settingProblems,
} from '../../shared/billing/report-definition.ts';
import { isAwsError, UserError } from '../../shared/errors/errors.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type StepChange } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['cur-report'];

interface Input {
  accountId: string;
  choice: Outputs['report-choice'];
  /** When this run wrote the bucket's policy, milliseconds since the epoch. */
  policyAt: number;
}

/** Seconds until the billing service sees a bucket policy; before that it answers that the permission is missing. */
const policySeconds = 10;

type Change = StepChange & { action: 'create-report' };

/** `rejectedAt`: when AWS last did not see its permission on the bucket, milliseconds since the epoch. */
const Notes = z.object({ rejectedAt: z.number().optional() });
type Notes = z.infer<typeof Notes>;

export const curReport = defineStep<'cur-report', Input, Report | undefined, Change, Notes>({
  name: 'cur-report',
  summary: 'Creates the Cost and Usage Report: daily, with resource ids, for Athena',
  permissions: {
    payer: [
      { actions: ['cur:DescribeReportDefinitions'], resources: ['*'] },
      {
        actions: ['cur:PutReportDefinition', 'cur:TagResource'],
        resources: ['arn:${AWS::Partition}:cur:us-east-1:${AWS::AccountId}:definition/*'],
      },
    ],
  },

  notes: Notes,

  input({ run }) {
    const policy = run.steps['cur-bucket']?.changes.findLast((change) => change.do === 'put-bucket-policy');
    return {
      accountId: run.request.payerAccountId,
      choice: outputOf(run, 'report-choice'),
      policyAt: policy?.at ? Date.parse(policy.at) : 0,
    };
  },

  async observe(cx, { choice }) {
    return (await listReports(cx.payer)).find(({ reportName }) => reportName === choice.reportName);
  },

  plan({ accountId, choice, policyAt }, seen, { now, notes, run }): Plan<Change, Output, Notes> {
    const { reportName, bucket, prefix, region } = choice;
    const resource = reportArn(accountId, reportName);
    const output: Output = {
      reportName,
      reportArn: resource,
      bucket,
      prefix,
      region,
      adopted: choice.choice === 'adopt',
    };
    if (seen) {
      const problems = [
        ...settingProblems(seen),
        ...(seen.bucket === bucket && seen.prefix === prefix && seen.region === region
          ? []
          : [`it delivers to s3://${seen.bucket}/${seen.prefix} in ${seen.region}`]),
      ];
      if (problems.length === 0) return { kind: 'ready', output };
      return { kind: 'refuse', code: 'report-differs', detail: `report ${reportName}: ${problems.join(', ')}` };
    }
    if (choice.choice === 'adopt')
      return { kind: 'refuse', code: 'no-usable-report', detail: `report ${reportName} is gone` };
    const tooEarly = now < policyAt + policySeconds * 1000;
    if ((tooEarly || notes.rejectedAt === now) && !run.request.dryRun)
      return waitFor(
        {
          reason: `AWS to see its permission on bucket ${bucket}`,
          seconds: policySeconds,
          deadlineSeconds: 180,
          overdue: 'bucket-policy-rejected',
        },
        output,
      );
    return { kind: 'change', changes: [{ action: 'create-report', resource }], expected: output };
  },

  async apply(cx, _, { input: { choice } }) {
    try {
      await putReport(cx.payer, choice, cx.owner);
      return 'changed';
    } catch (error) {
      if (isAwsError(error, 'DuplicateReportNameException')) return 'not-changed';
      if (isAwsError(error, 'ReportLimitReachedException'))
        throw new UserError('report-limit-reached', error.message, { cause: error });
      if (!isAwsError(error, 'ValidationException') || !error.message.includes('verify customer bucket permission'))
        throw error;
      return { outcome: 'not-changed', notes: { rejectedAt: cx.now } };
    }
  },
});

export const handler = stepHandler(curReport);
