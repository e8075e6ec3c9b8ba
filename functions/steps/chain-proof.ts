import { type ChainProof, chainProofPermissions, proveChain } from '../../shared/access/chain-proof.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { entryKey, findPayer, parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import type { Owner } from '../../shared/model/ownership.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { OnboardingRequest } from '../../shared/model/run-requests.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { iso } from '../../shared/platform/clock.ts';
import {
  fileOf,
  readSecret,
  rehearse,
  type Secret,
  unreadable,
  unwritable,
  withFile,
} from '../../shared/publication/integration-secret.ts';
import { defineStep, type Plan, type StepContext, type Wait } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers } from '../../shared/targets/payers-of-target.ts';

type Output = Outputs['chain-proof'];

interface Input {
  target: Target;
  payerAccountId: string;
  format: OnboardingRequest['kubecost']['format'];
  mode: OnboardingRequest['kubecost']['publish'];
  takeOver: boolean;
  /** The key of the entry; undefined until athena-results, which runs in another branch, has succeeded. */
  key: string | undefined;
}

/** The format of the file and the keys of foreign entries for the payer, or why the file cannot be used. */
type File = { format: Output['secretFormat']; foreignPayerKeys: string[] } | { refused: Problem };

interface Observation {
  chain: ChainProof;
  file: File;
}

/** IAM changes are visible everywhere within two minutes (terraform-provider-aws uses the same bound). */
const propagationSeconds = 120;

/** Assumes the roles as the pod will, and reads the secret as the consumer will, so that a problem shows in minutes, not after a day. */
export const chainProof = defineStep({
  name: 'chain-proof',
  summary: 'Proves that the pod can assume the payer role and that the payer’s entry can be added to the secret.',
  proof: true,
  after: ['pod-role', 'pod-identity', 'payer-role', 'grant'],
  permissions: {
    table: ['Query'],
    ...chainProofPermissions,
    kubernetes: [rules.pods, rules.token, rules.secret, rules.createSecret],
  },
  waits: { 'change-does-not-hold': { seconds: 5, longestSeconds: 2 * (propagationSeconds + 60) } },

  input(cx): Input {
    const { payerAccountId, kubecost, existing } = cx.run.request;
    const isReady = cx.run.steps['athena-results']?.status === 'succeeded';
    const location = isReady ? outputOf(cx.run, 'athena-results').athenaResultsLocation : undefined;
    return {
      target: targetOf(cx.run.request),
      payerAccountId,
      format: kubecost.format,
      mode: kubecost.publish,
      takeOver: existing === 'take-over',
      key: location === undefined ? undefined : entryKey({ payerAccountId, athenaResultsLocation: location }),
    };
  },

  async observe(cx, input): Promise<Observation> {
    const { target } = input;
    const [secret, payers, chain] = await Promise.all([
      readSecret(cx.kubernetes, target.namespace, target.secretName),
      listTargetPayers(target),
      proveChain(cx),
    ]);
    const own = payers.find(({ payerAccountId }) => payerAccountId === input.payerAccountId);
    const file = checkFile(secret, input, { owner: cx.owner, publishedKey: own?.publishedKey });
    if (!('refused' in file)) await checkAdmission(cx, secret, input);
    return { chain, file };
  },

  plan(input, { chain, file }, { now, since }): Plan<never, Output> {
    if ('refused' in file) return { kind: 'refuse', ...file.refused };
    const expected = { level: 'pod-chain' as const, identityArn: '', secretFormat: file.format };
    const mayStillPropagate = now - since < propagationSeconds * 1000;
    if ('refused' in chain) {
      const { code, detail } = chain.refused;
      if (mayStillPropagate) return waitFor(propagation('IAM to show the roles and policies everywhere'), expected);
      return { kind: 'refuse', code, detail: `${detail} (${blockedFor})` };
    }
    const [foreign] = file.foreignPayerKeys;
    if (foreign !== undefined && !input.takeOver) {
      const code = 'payer-already-integrated';
      if (input.key === undefined && mayStillPropagate)
        return waitFor(propagation('step athena-results to find the key of the payer’s entry'), expected);
      const detail = `account ${input.payerAccountId} is already in the file under ${file.foreignPayerKeys.join(', ')}`;
      if (input.key !== undefined && file.foreignPayerKeys.some((key) => key !== input.key))
        return { kind: 'refuse', code, detail };
    }
    return { kind: 'ready', output: { ...chain, secretFormat: file.format } };
  },
});

const blockedFor = `for ${propagationSeconds} s; IAM rarely takes this long to show changes, so probably a policy denies it`;

/** The deadline never passes: the plan refuses first, with the code of the denial. */
function propagation(reason: string): Wait {
  return { reason, seconds: 5, deadlineSeconds: propagationSeconds + 60, overdue: 'change-does-not-hold' };
}

/** Reads the file as the consumer does. The owner of the secret matters only if the run will write to it. */
function checkFile(
  secret: Secret | undefined,
  input: Input,
  { owner, publishedKey }: { owner: Owner; publishedKey: string | undefined },
): File {
  const refused = unreadable(secret);
  if (refused) return { refused };
  const file = fileOf(secret);
  const text = file?.kind === 'decoded' ? file.text : undefined;
  const integrated = text === undefined ? [] : findPayer(text, input.payerAccountId).map(({ key }) => key);
  const isWritten = input.mode === 'secret' && integrated.length === 0;
  const locked = secret && isWritten ? unwritable(secret, owner) : undefined;
  if (locked) return { refused: locked };
  if (text === undefined) return { format: 'absent', foreignPayerKeys: [] };
  const parsed = parseIntegrationFile(text);
  const format = parsed.accepted ? parsed.format : 'empty';
  if (input.format !== 'auto' && format !== 'empty' && format !== input.format) {
    const detail = `the file has the format ${format}, the request asks for ${input.format}`;
    return { refused: { code: 'secret-format-differs', detail } };
  }
  return { format, foreignPayerKeys: integrated.filter((key) => key !== publishedKey) };
}

/** Checks before the long wait whether the admission policies of the cluster allow us to write the secret. */
async function checkAdmission(cx: StepContext, secret: Secret | undefined, { target, mode }: Input): Promise<void> {
  if (mode === 'artifacts' || (secret && unwritable(secret, cx.owner))) return;
  const file = fileOf(secret);
  const text = file?.kind === 'decoded' ? file.text : '{}';
  await rehearse(cx.kubernetes, withFile(secret, target, text, cx.owner, iso(cx.now)));
}

export const handler = stepHandler(chainProof);
