import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import * as z from 'zod';
import { deployedFunctions } from './registry.ts';

/** A CloudFormation template, as far as this check reads it. */
const Template = z.looseObject({
  Parameters: z.record(z.string(), z.unknown()).optional(),
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }),
  ),
});
type Template = z.infer<typeof Template>;

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

/**
 * Everything in a CloudFormation template that AWS's resource specification or our own rules forbid.
 * @throws if it is no template
 */
export function templateProblems(content: unknown): string[] {
  const template = Template.parse(content);
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
        if (isReference && !known.has(name))
          problems.push(`${path}: ${key} names ${name}, which is neither a resource nor a parameter`);
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
      checkProperties(value, spec.get('typeDefinition', type.reference.$ref).properties, path);
    }
  };
  const checkProperties = (value: unknown, properties: SpecProperties, path: string): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const given = new Map<string, unknown>(Object.entries(value));
    const names = [...given.keys()];
    if (names.some((name) => name === 'Ref' || name.startsWith('Fn::'))) return;
    for (const name of names) {
      const property = properties[name];
      if (property) checkType(given.get(name), property.type, `${path}/${name}`);
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

/** Only a route that is declared `open` may go without a signed request. */
function routeProblems(template: Template): string[] {
  const open = deployedFunctions.flatMap(({ route }) => (route?.open ? [`${route.method} ${route.path}`] : []));
  return Object.values(template.Resources)
    .filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Route')
    .map(({ Properties = {} }) => ({ route: String(Properties.RouteKey), authorization: Properties.AuthorizationType }))
    .filter(({ route, authorization }) => authorization !== 'AWS_IAM' && !open.includes(route))
    .map(({ route }) => `${route}: needs no signed request, and its file in functions/api does not declare it open`);
}
