import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { artifactsOf } from '../../shared/artifacts/artifacts.ts';
import { decodePolicy, type PolicyDocument, samePolicy } from '../../shared/aws/policy-document.ts';
import { parseRoleArn } from '../../shared/aws/role.ts';
import { StepHarness, stepsOf } from '../support/step-harness.ts';

let stepHarness: StepHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  stepHarness = await StepHarness.open({ deliveryHours: 1 });
});
afterAll(async () => {
  await stepHarness.close();
  vi.restoreAllMocks();
});

type Document = ReturnType<typeof artifactsOf>['iam'][number];

/** The text that AWS stores for the document. */
function storedText({ kind, accountId, attachedTo, policyName }: Document): string | undefined {
  const { iam, s3 } = stepHarness.world;
  if (kind === 'bucket-policy') return s3.buckets.get(attachedTo?.split(':::')[1] ?? '')?.policy?.text;
  const role = iam.role(accountId, parseRoleArn(attachedTo ?? '').name);
  if (kind === 'trust-policy') return role?.trust.current?.text;
  if (kind === 'inline-policy') return role?.inline.get(policyName ?? '')?.current?.text;
  return role?.attached.get(`arn:aws:iam::${accountId}:policy/${policyName ?? ''}`)?.current?.content.current?.text;
}

describe('artifacts', () => {
  it.each(['new-irsa', 'new-pod-identity'] as const)(
    'equal the documents that the run has written to AWS: %s',
    async (example) => {
      const run = await stepHarness.begin(example);
      const steps = stepsOf(example);
      for (const name of steps.slice(0, steps.indexOf('smoke-query'))) await run.take(name);
      const { iam, missing } = artifactsOf(await run.read(), 'arn:aws:iam::222233330001:role/provisioner');
      expect(missing).toEqual([]);
      expect(iam).toHaveLength(6);
      for (const document of iam) {
        const stored = decodePolicy(storedText(document) ?? '{}');
        const same = samePolicy(document.document as unknown as PolicyDocument, stored);
        expect([document.file, same]).toEqual([document.file, true]);
      }
    },
  );
});
