import * as z from 'zod';
import { detailTypes, eventSource, RunEvent } from '../model/run-event.ts';
import { exampleEvent } from '../model/run-event-example.ts';
import { StepNameView } from '../model/run-schemas.ts';

const block = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``;
const json = (value: unknown) => block('json', JSON.stringify(value, null, 2));

/** An event as a rule's target gets it. */
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

/** docs/events.md: what the event bus carries, and how to read it. */
export function renderEventsPage(): string {
  return `# Events

Generated from shared/model/run-event.ts: npm run generate.

Every transition of a run and of its steps is put on the event bus whose ARN the stack prints as \`EventBusArn\`: source
\`${eventSource}\`, detail type \`${detailTypes.run}\` for the run itself, \`${detailTypes.step}\` for one of its steps. An
event holds ids, states and codes, never a document, and of an error no more than its code and the catalogue's advice
([errors.md](errors.md)); \`GET /v1/runs/{runId}\` has the details.

${json(delivered)}

## \`detail\`

| field | value | |
| --- | --- | --- |
${fieldsOf(RunEvent).join('\n')}

[openapi.json](openapi.json) has it as the JSON Schema \`RunEvent\`. Fields may be added; ignore what you do not know.

## What to rely on

- **At least once.** A transition is written together with its event, and the event is put until the bus has taken it: by the same
  invocation, by the run's next one, or by the sweeper, which comes every five minutes. So an event may come twice, or late.
- **\`detail.id\` is the same each time** one transition is delivered, and differs for any other: to de-duplicate, keep the ids you have
  seen for a day. The bus's own \`id\` is new for each delivery.
- **No order.** EventBridge keeps none. Sort by \`attempt\` and \`at\`, or take an event as a hint and read the run.
- A step's \`running\` comes together with the first it comes to, since both are told by the invocation that wrote the second.
- A wait is told once for what it waits for, not for each look. An error that is tried again is not told. A step that does not apply
  is \`skipped\` from the start and never told of. A run that is taken back at once because another one is active may have told that it
  was \`queued\`.

## Subscribe

A rule on the bus, for runs that have ended:

${json({ source: [eventSource], 'detail-type': [detailTypes.run], detail: { status: ['succeeded', 'failed', 'cancelled'] } })}

For all of one batch, \`"detail": { "batchId": ["…"] }\`; for one payer, \`"detail": { "payerAccountId": ["…"] }\`.

From another account: let that account's rules onto the bus, or forward to a bus of its own.

${block(
  'sh',
  `# In the hub's account: a rule that forwards to the bus of account 333344445555, by a role that may put events there.
aws events put-rule --event-bus-name <EventBusArn> --name to-finance --event-pattern '{"source":["${eventSource}"]}'
aws events put-targets --event-bus-name <EventBusArn> --rule to-finance --targets \\
  'Id=finance,Arn=arn:aws:events:eu-west-1:333344445555:event-bus/finance,RoleArn=arn:aws:iam::999900001111:role/to-finance'
# In account 333344445555: let the hub's account put events there.
aws events put-permission --event-bus-name finance --statement-id hub --action events:PutEvents --principal 999900001111`,
)}

The parameter \`failureEmail\` makes such a rule for you: a mail for each run that fails, once its recipient has confirmed the
subscription.
`;
}

/** A row for each field; of an object's fields too, by their path. */
function fieldsOf(schema: z.ZodObject, path = ''): string[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const type = field as z.ZodType;
    const inner = type instanceof z.ZodNullable ? (type.unwrap() as z.ZodType) : type;
    const value = [valueOf(inner), ...(inner === type ? [] : ['or null'])].join(' ');
    const meaning = type.meta()?.description ?? '';
    const row = `| \`${path}${name}\` | ${value} | ${meaning} |`;
    return inner instanceof z.ZodObject ? [row, ...fieldsOf(inner, `${path}${name}.`)] : [row];
  });
}

function valueOf(type: z.ZodType): string {
  if (type === StepNameView) return 'a step’s name';
  if (type instanceof z.ZodEnum) return type.options.map((option) => `\`${option}\``).join(', ');
  return type instanceof z.ZodISODateTime ? 'timestamp' : type.type;
}
