import { createHash } from 'node:crypto';
import {
  entryKey,
  entryOf,
  foreignKeys,
  mergeEntries,
  parseIntegrationFile,
  renderEntry,
} from '../../shared/cloud-integration.ts';
import { rules } from '../../shared/cluster-role.ts';
import { TerminalError, unlessTaken } from '../../shared/errors.ts';
import {
  fileName,
  fileOf,
  previousName,
  readSecret,
  secretsPath,
  unwritable,
  type Refusal,
  type Secret,
} from '../../shared/integration-secret.ts';
import { connectKubernetes, unlessHidden } from '../../shared/kubernetes.ts';
import { objectOwnership, ownerLabels } from '../../shared/kubernetes-owner.ts';
import { targetOf, type Target } from '../../shared/run.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';
import { listTargetPayers, markProven, type TargetPayer } from '../../shared/target-store.ts';
import type { IntegrationEntry } from '../../shared/cloud-integration.ts';
import type { OnboardingRequest } from '../../shared/request.ts';
import type { Outputs } from '../../shared/outputs.ts';

interface Input {
  target: Target;
  entry: IntegrationEntry;
  format: OnboardingRequest['kubecost']['format'];
  takeOver: boolean;
}

/** Lives within one look: the secret's content is never put into a change. */
interface Seen {
  payers: TargetPayer[];
  secret: Secret | undefined;
  previous: Secret | undefined;
}

type Change =
  | { do: 'mark-proven'; resource: string }
  /** `resourceVersion` of the secret the plan was made from; absent where there was none. */
  | { do: 'keep-previous' | 'create-secret' | 'update-secret'; resource: string; resourceVersion?: string | undefined };

async function look(cx: StepContext, { target }: Input): Promise<Seen> {
  const kubernetes = connectKubernetes(cx);
  const { namespace, secretName } = target;
  const [payers, secret, previous] = await Promise.all([
    listTargetPayers(target),
    readSecret(kubernetes, namespace, secretName),
    readSecret(kubernetes, namespace, previousName(target)),
  ]);
  return { payers, secret, previous };
}

/** All entries that belong in the file, ours as it is to be, in a stable order. */
function entriesOf({ entry }: Input, payers: TargetPayer[]): IntegrationEntry[] {
  const others = payers.flatMap((item) =>
    item.state === 'proven' && item.payerAccountId !== entry.payerAccountId && item.entry ? [item.entry] : [],
  );
  return [...others, entry].sort((a, b) => (a.payerAccountId < b.payerAccountId ? -1 : 1));
}

/** The file as it is to be. Another payer that does not fit keeps nobody out: its own run says so. */
function merge(input: Input, { payers, secret }: Seen): { text: string; changed: boolean } | { refused: Refusal } {
  const file = fileOf(secret);
  if (file?.kind === 'refused') return { refused: { code: file.code, detail: file.detail } };
  const ownedKeys = new Set(payers.flatMap(({ entry }) => (entry ? [entryKey(entry)] : [])));
  let text = file?.text;
  for (const entry of entriesOf(input, payers)) {
    const takeOver = input.takeOver && entry === input.entry;
    const result = mergeEntries(text, [entry], { format: input.format, takeOver, ownedKeys });
    if (result.kind !== 'refused') text = result.text;
    else if (entry === input.entry) return { refused: { code: result.code, detail: result.detail } };
  }
  if (text === undefined) throw new TerminalError('unexpected', 'there is nothing to publish');
  return { text, changed: text !== file?.text };
}

function describe({ target, entry }: Input, text: string, resourceVersion: string): Outputs['publish'] {
  const parsed = parseIntegrationFile(text);
  const format = parsed.accepted && parsed.format === 'configurations' ? 'configurations' : 'legacy';
  const key = entryKey(entry);
  return {
    secret: `${target.namespace}/${target.secretName}`,
    resourceVersion,
    sha256: createHash('sha256').update(text).digest('hex'),
    key,
    entry: JSON.parse(renderEntry(entry, format)) as Record<string, unknown>,
    otherKeys: foreignKeys(text, new Set([key])),
    mode: 'secret',
  };
}

/** Another writer was first: the look after it plans anew. */
async function write(cx: StepContext, input: Input, change: Extract<Change, { resourceVersion?: unknown }>) {
  const { namespace, secretName } = input.target;
  const seen = await look(cx, input);
  const { secret, previous } = seen;
  if (secret?.metadata.resourceVersion !== change.resourceVersion) return;
  const kubernetes = connectKubernetes(cx);
  const labels = ownerLabels(cx.owner);
  const save = (name: string, existing: Secret | undefined, content: string) => {
    const data = { ...existing?.data, [fileName]: content };
    const fresh = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, namespace, labels } };
    return unlessTaken(['AlreadyExists', 'Conflict'], () =>
      existing
        ? kubernetes.replace<Secret>(`${secretsPath(namespace)}/${name}`, { ...existing, data })
        : kubernetes.create(secretsPath(namespace), { ...fresh, data }),
    );
  };
  if (change.do === 'keep-previous') return save(previousName(input.target), previous, secret?.data?.[fileName] ?? '');
  const merged = merge(input, seen);
  if ('text' in merged) await save(secretName, secret, Buffer.from(merged.text).toString('base64'));
}

/** Brings the file to what all proven payers of the target need, and leaves every byte that is not theirs. */
export const publish = defineStep({
  name: 'publish',
  summary: 'Adds the payer’s entry to cloud-integration.json in the cluster’s secret.',
  lease: 'target',
  permissions: { table: ['Query', 'UpdateItem'], kubernetes: [rules.createSecret, rules.secret] },

  input(cx): Input {
    const { request } = cx.run;
    return {
      target: targetOf(request),
      entry: entryOf(cx.run),
      format: request.kubecost.format,
      takeOver: request.existing === 'take-over',
    };
  },

  async observe(cx, input): Promise<Seen> {
    const seen = await unlessHidden(cx, () => look(cx, input));
    if (seen !== 'hidden') return seen;
    return { payers: await listTargetPayers(input.target), secret: undefined, previous: undefined };
  },

  plan(input, seen, { owner }): Plan<Change, Outputs['publish']> {
    const { target, entry } = input;
    const { secret, previous, payers } = seen;
    const merged = merge(input, seen);
    if ('refused' in merged) return { kind: 'refuse', ...merged.refused };
    const resource = `${target.namespace}/${target.secretName}`;
    const resourceVersion = secret?.metadata.resourceVersion;
    const changes: Change[] = [];
    if (merged.changed) {
      const locked = secret && unwritable(secret, owner);
      if (locked) return { kind: 'refuse', ...locked };
      if (previous && objectOwnership(previous, owner) !== 'ours')
        return { kind: 'refuse', code: 'secret-owned-elsewhere', detail: `Secret ${resource}-previous is not ours` };
      const content = secret?.data?.[fileName];
      if (content !== undefined && previous?.data?.[fileName] !== content)
        changes.push({ do: 'keep-previous', resource: `${target.namespace}/${previousName(target)}`, resourceVersion });
      changes.push({ do: secret ? 'update-secret' : 'create-secret', resource, resourceVersion });
    }
    // Last: until the file holds the new entry, the old one's key tells that what stands there is ours.
    const own = payers.find(({ payerAccountId }) => payerAccountId === entry.payerAccountId);
    if (own?.state !== 'proven' || !isSame(own.entry, entry))
      changes.push({ do: 'mark-proven', resource: entryKey(entry) });
    const output = describe(input, merged.text, resourceVersion ?? '');
    const [first, ...more] = changes;
    return first ? { kind: 'change', changes: [first, ...more], expected: output } : { kind: 'ready', output };
  },

  async apply(cx, change, input) {
    if (change.do === 'mark-proven') await markProven(input.target, input.entry, { takeOver: input.takeOver });
    else await write(cx, input, change);
  },
});

function isSame(a: IntegrationEntry | undefined, b: IntegrationEntry): boolean {
  return a !== undefined && Object.entries(b).every(([field, value]) => a[field as keyof IntegrationEntry] === value);
}

export const handler = stepHandler(publish);
