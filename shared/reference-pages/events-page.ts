import * as z from 'zod';
import { detailTypes, eventSource, RunEvent } from '../model/run-event.ts';
import { exampleEvent } from '../model/run-event-example.ts';
import { StepNameView } from '../model/run-schemas.ts';

const block = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``;
const json = (value: unknown) => block('json', JSON.stringify(value, null, 2));

/** An event in the form in which the target of a rule receives it. */
const delivered = {
  version: '0',
  id: '7bf73129-1428-4cd3-a780-95db273d1602',
  'detail-type': detailTypes.run,
  source: eventSource,
  account: '999900001111',
  time: '2026-03-02T09:00:11Z',
  region: 'eu-west-1',
  resources: [],
  detail: exampleEvent,
};

/** docs/events.md: the events on the event bus, and how to subscribe. */
export function renderEventsPage(): string {
  return `# Events

Generated from shared/model/run-event.ts: npm run generate.

Every status change of a run and of its steps is an event on the event bus. The stack output \`EventBusArn\` is the ARN of the
bus. The source is \`${eventSource}\`. The detail type is \`${detailTypes.run}\` for a run and
\`${detailTypes.step}\` for a step. An event has ids, statuses and codes, never a document. Its error has only the code
with the texts of [errors.md](errors.md); \`GET /v1/runs/{runId}\` has the details.

${json(delivered)}

## \`detail\`

| field | value | |
| --- | --- | --- |
${fieldsOf(RunEvent).join('\n')}

[openapi.json](openapi.json) has the JSON Schema \`RunEvent\`. Later releases may add fields; ignore unknown fields.

## Guarantees

- **At least once.** A status change and its event are written together. The same invocation publishes the event; if that fails, the
  next invocation of the run or the sweeper does, which runs every five minutes. So an event may arrive twice, or late.
- **\`detail.id\` identifies the status change.** It is the same in every delivery of one status change. To remove duplicates, keep the
  ids of the last day. The \`id\` of the bus is new for each delivery.
- **No order.** EventBridge does not guarantee an order. Sort by \`attempt\` and \`at\`, or use an event as a signal to read the run.
- The event \`running\` of a step is published together with the next event of the step, because one invocation publishes both.
- A wait has one event for each reason, not one for each check. An error that is retried has no event. A step that does not apply is
  \`skipped\` from the start and has no event. If a request is refused because another run is active, its run may have an event
  \`queued\` although the run no longer exists.

## Subscribe

This rule on the bus matches runs that have ended:

${json({ source: [eventSource], 'detail-type': [detailTypes.run], detail: { status: ['succeeded', 'failed', 'cancelled'] } })}

For one batch, use \`"detail": { "batchId": ["…"] }\`; for one payer, \`"detail": { "payerAccountId": ["…"] }\`.

To subscribe from another account, allow that account to create rules on the bus, or forward the events to a bus in that account.

${block(
  'sh',
  `# In the account of the deployment: a rule that forwards events to account 333344445555. The role may put events on its bus.
aws events put-rule --event-bus-name <EventBusArn> --name to-finance --event-pattern '{"source":["${eventSource}"]}'
aws events put-targets --event-bus-name <EventBusArn> --rule to-finance --targets \\
  'Id=finance,Arn=arn:aws:events:eu-west-1:333344445555:event-bus/finance,RoleArn=arn:aws:iam::999900001111:role/to-finance'
# In account 333344445555: allow the account of the deployment to put events on the bus.
aws events put-permission --event-bus-name finance --statement-id hub --action events:PutEvents --principal 999900001111`,
)}

The deployment parameter \`failureEmail\` creates such a rule: it sends an e-mail for each failed run, after the recipient has
confirmed the subscription.
`;
}

/** One row per field, and one per field of an object, with its path. */
function fieldsOf(schema: z.ZodObject<Record<string, z.ZodType>>, path = ''): string[] {
  return Object.entries(schema.shape).flatMap(([name, type]) => {
    const inner = type instanceof z.ZodNullable ? type.unwrap() : type;
    const value = [valueOf(inner), ...(inner === type ? [] : ['or null'])].join(' ');
    const meaning = type.meta()?.description ?? '';
    const row = `| \`${path}${name}\` | ${value} | ${meaning} |`;
    return inner instanceof z.ZodObject ? [row, ...fieldsOf(inner, `${path}${name}.`)] : [row];
  });
}

function valueOf(type: z.core.$ZodType): string {
  if (type === StepNameView) return 'a step’s name';
  if (type instanceof z.ZodEnum) return type.options.map((option) => `\`${option}\``).join(', ');
  return type instanceof z.ZodISODateTime ? 'timestamp' : type._zod.def.type;
}
