import * as z from 'zod';
import { errorCatalogue } from '../errors/catalogue.ts';
import { docsStyle } from './docs-style.ts';

/** The JSON Schema keywords that the page shows. */
const Schema = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  format: z.string().optional(),
  pattern: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  default: z.unknown().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  required: z.array(z.string()).default([]),
  get items() {
    return Schema.optional();
  },
  get anyOf() {
    return z.array(Schema).optional();
  },
  get allOf() {
    return z.array(Schema).optional();
  },
  get properties() {
    return z.record(z.string(), Schema).optional();
  },
});
type Schema = z.infer<typeof Schema>;

const Content = z.record(z.string(), z.object({ schema: Schema, example: z.unknown().optional() }));

const Parameter = z.object({
  name: z.string(),
  in: z.string(),
  required: z.boolean(),
  description: z.string().default(''),
  schema: Schema,
});

const Response = z.object({ description: z.string(), content: Content.default({}) });

const Operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  description: z.string().default(''),
  parameters: z.array(Parameter).default([]),
  requestBody: z.object({ content: Content }).optional(),
  responses: z.record(z.string(), Response),
});

/** The parts of the OpenAPI document that the page shows. */
const Document = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Schema) }),
});

/**
 * The OpenAPI document and the error catalogue as one HTML page without scripts, fonts or other assets.
 * @throws ZodError if `openapi` is not an OpenAPI document
 */
export function docsPage(openapi: unknown): string {
  const document = Document.parse(openapi);
  const { title, version, description } = document.info;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const navigation = operations.map(
    ({ method, path, operation }) => `<li><a href="#${operation.operationId}"><b>${method}</b> ${text(path)}</a></li>`,
  );
  const schemas = Object.entries(document.components.schemas);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<style>${docsStyle}</style>
</head>
<body>
<nav aria-label="Contents"><ul>
${navigation.join('\n')}
<li><a href="#schemas">Schemas</a></li>
<li><a href="#errors">Errors</a></li>
</ul></nav>
<main>
<h1>${text(title)} <small>${text(version)}</small></h1>
<p>${text(description)}</p>
<p>Every route except <code>/health</code> requires a request that is signed with AWS Signature Version 4 for the service <code>execute-api</code>. The OpenAPI document is at <a href="/openapi.json">/openapi.json</a>.</p>
${operations.map(({ method, path, operation }) => operationSection(method, path, operation)).join('\n')}
<section id="schemas">
<h2>Schemas</h2>
${schemas.map(([id, schema]) => `<section id="schema-${id}">\n<h3>${id}</h3>\n${schemaBody(schema)}\n</section>`).join('\n')}
</section>
<section id="errors">
<h2>Errors</h2>
<p>Codes are stable. Problem documents and the errors of failed runs use the same codes.</p>
${errorSections()}
</section>
</main>
</body>
</html>
`;
}

function operationSection(method: string, path: string, operation: z.infer<typeof Operation>): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const body = requestBody && Object.values(requestBody.content)[0];
  return `<section id="${operationId}">
<h2><b class="method">${method}</b> <code>${text(path)}</code></h2>
<p><strong>${text(summary)}.</strong> ${text(description)}</p>
${parameters.length > 0 ? `<h3>Parameters</h3>\n${parameterTable(parameters)}` : ''}
${body ? `<h3>Body</h3>\n<p>${typeOf(body.schema)}</p>\n${example(body.example)}` : ''}
<h3>Answers</h3>
${Object.entries(responses)
  .map(([status, response]) => answer(status, response))
  .join('\n')}
</section>`;
}

function parameterTable(parameters: readonly z.infer<typeof Parameter>[]): string {
  return table(
    ['Name', 'In', 'Type', 'Meaning'],
    parameters.map(({ name, in: place, required, description, schema }) => [
      `<code>${text(name)}</code>${required ? ' <em>required</em>' : ''}`,
      place,
      typeOf(schema),
      meaning({ ...schema, description }),
    ]),
  );
}

function answer(status: string, { description, content }: z.infer<typeof Response>): string {
  const [contentType, body] = Object.entries(content)[0] ?? ['', undefined];
  const shape = body?.schema.$ref ? `: ${typeOf(body.schema)}` : '';
  const shown =
    body?.example === undefined ? '' : `<details><summary>Example</summary>${example(body.example)}</details>`;
  return `<p><b class="status">${status}</b> ${text(description)} <small>${text(contentType)}${shape}</small></p>${shown}`;
}

function schemaBody(schema: Schema): string {
  const intro = schema.description !== undefined ? `<p>${text(schema.description)}</p>\n` : '';
  if (!schema.properties) return `${intro}<p>${typeOf(schema)} ${meaning({ ...schema, description: undefined })}</p>`;
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties).flatMap(([name, property]) =>
    propertyRows(name, property, required.has(name)),
  );
  return intro + table(['Field', 'Type', 'Meaning'], rows);
}

/** One row for the property, and one for each property of an inline object. */
function propertyRows(name: string, property: Schema, required: boolean): string[][] {
  const inner = new Set(property.required);
  return [
    [`<code>${text(name)}</code>${required ? ' <em>required</em>' : ''}`, typeOf(property), meaning(property)],
    ...Object.entries(property.properties ?? {}).flatMap(([key, value]) =>
      propertyRows(`${name}.${key}`, value, inner.has(key)),
    ),
  ];
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const id = schema.$ref.split('/').at(-1) ?? '';
    return `<a href="#schema-${id}">${id}</a>`;
  }
  const choices = schema.anyOf ?? schema.allOf;
  if (choices) return choices.map(typeOf).join(' or ');
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'any'}`;
  if (schema.enum) return schema.enum.map((value) => `<code>${text(String(value))}</code>`).join(' ');
  if (schema.const !== undefined) return `<code>${text(JSON.stringify(schema.const))}</code>`;
  return text([schema.type ?? 'any'].flat().join(' or '));
}

function meaning(schema: Schema): string {
  const bounds = [
    schema.default !== undefined && `Default <code>${text(JSON.stringify(schema.default))}</code>.`,
    schema.minimum !== undefined && schema.minimum > Number.MIN_SAFE_INTEGER && `At least ${schema.minimum}.`,
    schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER && `At most ${schema.maximum}.`,
    schema.pattern !== undefined && !schema.format && `Matches <code>${text(schema.pattern)}</code>.`,
  ];
  const described = schema.description ? `${text(schema.description)}.` : '';
  return [described, ...bounds].filter(Boolean).join(' ');
}

function errorSections(): string {
  return Object.entries(errorCatalogue)
    .map(
      ([code, { title, actor, remedy }]) =>
        `<section id="error-${code}">\n<h3><code>${code}</code></h3>\n<p><strong>${text(title)}.</strong> ${text(remedy)} <small>Who acts: ${text(actor)}.</small></p>\n</section>`,
    )
    .join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const header = head.map((cell) => `<th scope="col">${cell}</th>`).join('');
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('\n');
  return `<div class="table"><table><thead><tr>${header}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

function example(value: unknown): string {
  return `<pre><code>${text(JSON.stringify(value, null, 2))}</code></pre>`;
}

function text(raw: string): string {
  return raw
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}
