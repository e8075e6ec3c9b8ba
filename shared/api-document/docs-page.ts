import { errorCatalogue } from '../errors/catalogue.ts';
import { docsStyle } from './docs-style.ts';
import type { OpenapiDocument, Operation } from './openapi-types.ts';

type Json = Record<string, unknown>;

/** The OpenAPI document and the error catalogue as one HTML page without scripts, fonts or other assets. */
export function docsPage(document: OpenapiDocument): string {
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

function operationSection(method: string, path: string, operation: Operation): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const body = requestBody && Object.values(requestBody.content)[0];
  return `<section id="${operationId}">
<h2><b class="method">${method}</b> <code>${text(path)}</code></h2>
<p><strong>${text(summary)}.</strong> ${text(description ?? '')}</p>
${parameters.length > 0 ? `<h3>Parameters</h3>\n${parameterTable(parameters)}` : ''}
${body ? `<h3>Body</h3>\n<p>${typeOf(body.schema)}</p>\n${example(body.example)}` : ''}
<h3>Answers</h3>
${Object.entries(responses)
  .map(([status, response]) => answer(status, response))
  .join('\n')}
</section>`;
}

function parameterTable(parameters: NonNullable<Operation['parameters']>): string {
  return table(
    ['Name', 'In', 'Type', 'Meaning'],
    parameters.map(({ name, in: place, required, description = '', schema }) => [
      `<code>${text(name)}</code>${required ? ' <em>required</em>' : ''}`,
      place,
      typeOf(schema),
      meaning({ ...schema, description }),
    ]),
  );
}

function answer(status: string, { description, content = {} }: Operation['responses'][string]): string {
  const [contentType, body] = Object.entries(content)[0] ?? ['', undefined];
  const shape = body?.schema.$ref ? `: ${typeOf(body.schema)}` : '';
  const shown =
    body?.example === undefined ? '' : `<details><summary>Example</summary>${example(body.example)}</details>`;
  return `<p><b class="status">${status}</b> ${text(description)} <small>${text(contentType)}${shape}</small></p>${shown}`;
}

function schemaBody(schema: Json): string {
  const intro = typeof schema.description === 'string' ? `<p>${text(schema.description)}</p>\n` : '';
  const properties = schema.properties as Record<string, Json> | undefined;
  if (!properties) return `${intro}<p>${typeOf(schema)} ${meaning({ ...schema, description: undefined })}</p>`;
  const required = new Set(schema.required as string[] | undefined);
  const rows = Object.entries(properties).flatMap(([name, property]) =>
    propertyRows(name, property, required.has(name)),
  );
  return intro + table(['Field', 'Type', 'Meaning'], rows);
}

/** One row for the property, and one for each property of an inline object. */
function propertyRows(name: string, property: Json, required: boolean): string[][] {
  const nested = property.properties as Record<string, Json> | undefined;
  const inner = new Set(property.required as string[] | undefined);
  return [
    [`<code>${text(name)}</code>${required ? ' <em>required</em>' : ''}`, typeOf(property), meaning(property)],
    ...Object.entries(nested ?? {}).flatMap(([key, value]) => propertyRows(`${name}.${key}`, value, inner.has(key))),
  ];
}

function typeOf(schema: Json): string {
  if (typeof schema.$ref === 'string') {
    const id = schema.$ref.split('/').at(-1) ?? '';
    return `<a href="#schema-${id}">${id}</a>`;
  }
  const choices = (schema.anyOf ?? schema.allOf) as Json[] | undefined;
  if (choices) return choices.map(typeOf).join(' or ');
  if (schema.type === 'array') return `list of ${typeOf((schema.items as Json | undefined) ?? {})}`;
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `<code>${text(String(value))}</code>`).join(' ');
  if (schema.const !== undefined) return `<code>${text(JSON.stringify(schema.const))}</code>`;
  return text(typeof schema.type === 'string' ? schema.type : 'any');
}

function meaning(schema: Json): string {
  const bounds = [
    schema.default !== undefined && `Default <code>${text(JSON.stringify(schema.default))}</code>.`,
    typeof schema.minimum === 'number' && schema.minimum > Number.MIN_SAFE_INTEGER && `At least ${schema.minimum}.`,
    typeof schema.maximum === 'number' && schema.maximum < Number.MAX_SAFE_INTEGER && `At most ${schema.maximum}.`,
    typeof schema.pattern === 'string' && !schema.format && `Matches <code>${text(schema.pattern)}</code>.`,
  ];
  const described = typeof schema.description === 'string' && schema.description ? `${text(schema.description)}.` : '';
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
