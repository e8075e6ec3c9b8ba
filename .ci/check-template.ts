import { readFile } from 'node:fs/promises';
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';

interface Template {
  Parameters?: Record<string, unknown>;
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
}

/** Property types as AWS's own service specification describes them; only the shapes this check follows. */
type SpecType = { type: string; reference?: { $ref: string }; element?: SpecType; types?: SpecType[] };
type SpecProperties = Record<string, { type: SpecType; required?: boolean }>;

const pseudoParameters = new Set([
  'AWS::AccountId',
  'AWS::NoValue',
  'AWS::Partition',
  'AWS::Region',
  'AWS::StackId',
  'AWS::StackName',
  'AWS::URLSuffix',
]);

/** Everything wrong with a CloudFormation template as AWS's resource specification and our own rules see it. */
export function templateProblems(template: Template): string[] {
  return [...referenceProblems(template), ...specProblems(template), ...routeProblems(template)];
}

/** Every Ref and Fn::GetAtt names a resource or a parameter of the template. */
function referenceProblems(template: Template): string[] {
  const problems: string[] = [];
  const known = new Set([
    ...pseudoParameters,
    ...Object.keys(template.Parameters ?? {}),
    ...Object.keys(template.Resources),
  ]);
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      value.forEach((item, index) => {
        visit(item, `${path}/${index}`);
      });
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        const name =
          key === 'Ref'
            ? String(item)
            : key === 'Fn::GetAtt'
              ? String(Array.isArray(item) ? item[0] : item)
              : undefined;
        const isReference = name !== undefined && (key === 'Fn::GetAtt' || typeof item === 'string');
        if (isReference && !known.has(name)) problems.push(`${path}: ${key} ${name} dangles`);
        visit(item, `${path}/${key}`);
      }
    }
  };
  visit(template, '');
  return problems;
}

/** Unknown and missing properties, by AWS's own specification of each resource type. */
function specProblems(template: Template): string[] {
  const spec = loadAwsServiceSpecSync();
  const problems: string[] = [];
  const checkType = (value: unknown, type: SpecType, path: string): void => {
    if (type.type === 'array' && Array.isArray(value) && type.element) {
      for (const [index, item] of value.entries()) checkType(item, type.element, `${path}/${index}`);
    } else if (type.type === 'ref' && type.reference) {
      const definition = spec.get('typeDefinition', type.reference.$ref) as unknown as {
        properties: SpecProperties;
      };
      checkProperties(value, definition.properties, path);
    }
  };
  const checkProperties = (value: unknown, properties: SpecProperties, path: string): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const names = Object.keys(value);
    if (names.some((name) => name === 'Ref' || name.startsWith('Fn::'))) return;
    for (const name of names) {
      const property = properties[name];
      if (property) checkType((value as Record<string, unknown>)[name], property.type, `${path}/${name}`);
      else problems.push(`${path}: unknown property ${name}`);
    }
    for (const [name, property] of Object.entries(properties)) {
      if (property.required && !names.includes(name)) problems.push(`${path}: missing property ${name}`);
    }
  };
  for (const [logicalId, resource] of Object.entries(template.Resources)) {
    const found = spec.lookup('resource', 'cloudFormationType', 'equals', resource.Type)[0];
    if (found) checkProperties(resource.Properties ?? {}, found.properties, logicalId);
    else problems.push(`${logicalId}: unknown type ${resource.Type}`);
  }
  return problems;
}

/** Every route but /health asks for a signed request. */
function routeProblems(template: Template): string[] {
  return Object.values(template.Resources)
    .filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Route')
    .map(({ Properties = {} }) => ({ route: String(Properties.RouteKey), authorization: Properties.AuthorizationType }))
    .filter(({ route, authorization }) => authorization !== 'AWS_IAM' && route !== 'GET /health')
    .map(({ route }) => `${route}: open to the world`);
}

if (import.meta.main) {
  const file = '.serverless/cloudformation-template-update-stack.json';
  const template = JSON.parse(await readFile(file, 'utf8')) as Template;
  const problems = templateProblems(template);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else
    console.log(
      `${Object.keys(template.Resources).length} resources checked against AWS's specification, every route but /health is IAM-authorised`,
    );
}
