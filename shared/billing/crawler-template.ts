import { isMap, readTemplate, TemplateProblem, type TemplateResource } from './crawler-template-document.ts';
import { ruleFor } from './crawler-template-resources.ts';
import { refuse, type TemplateFacts, type TemplatePlace, textIn } from './crawler-template-values.ts';
import { crawlerName } from './report-location.ts';

export type Inspection =
  | { trusted: false; reason: string }
  | { trusted: true; database: string; crawlerName: string; runtimes: string[]; reservedConcurrency: number };

/**
 * Reads the template that AWS writes beside the report as hostile input: everybody who can write to the bucket could have changed
 * it, and it is deployed with our rights. What it can do decides, not its text: known types of resources, roles with bounded rights,
 * no code, principal or endpoint of others. The code of the functions may be any, because their roles only allow to start a crawler
 * and to set this bucket's notification.
 */
export function inspectCrawlerTemplate(body: string, report: TemplatePlace): Inspection {
  try {
    return { trusted: true, ...inspected(factsOf(body, report)) };
  } catch (error) {
    if (error instanceof TemplateProblem) return { trusted: false, reason: error.message };
    throw error;
  }
}

/**
 * The trusted template as it is deployed: resources only, with the values that the inspection has seen, so that CloudFormation cannot
 * read the text in another way. Retained resources would outlive the stack, so no resource has a deletion policy.
 */
export function deployableTemplate(body: string, report: TemplatePlace): string {
  const resources = [...factsOf(body, report).resources].map(([id, { type, properties, dependsOn }]) => {
    const block = { Type: type, ...(dependsOn.length > 0 && { DependsOn: dependsOn }), Properties: properties };
    return [id, block] as const;
  });
  const template = { AWSTemplateFormatVersion: '2010-09-09', Resources: Object.fromEntries(resources) };
  return JSON.stringify(template);
}

function factsOf(body: string, report: TemplatePlace): TemplateFacts {
  // Without an account, its number in a text is not the report's.
  const { accountId = '${AWS::AccountId}', region } = report;
  const pseudo = {
    'AWS::AccountId': accountId,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    ...(region !== undefined && { 'AWS::Region': region }),
  };
  return { report, accountId, resources: readTemplate(body, pseudo) };
}

function inspected(facts: TemplateFacts) {
  const { resources, report } = facts;
  for (const [id, { type, properties }] of resources) {
    const rule = ruleFor(type) ?? refuse(id, `has the type ${type}`);
    rule(properties, facts, id);
  }
  const database = soleOf('AWS::Glue::Database', resources).properties.DatabaseInput;
  const crawler = soleOf('AWS::Glue::Crawler', resources);
  const permissions = ofType('AWS::Lambda::Permission', resources);
  if (permissions.length === 0 && crawler.properties.Schedule === undefined)
    throw new TemplateProblem('nothing in it starts the crawler after a delivery');
  const functions = ofType('AWS::Lambda::Function', resources).map(({ properties }) => properties);
  return {
    database: (isMap(database) && textIn(database.Name, facts)) || '',
    crawlerName: crawlerName(report.reportName),
    runtimes: functions.map(({ Runtime: runtime }) => textIn(runtime, facts) ?? ''),
    reservedConcurrency: functions
      .map(({ ReservedConcurrentExecutions: reserved }) => Number(textIn(reserved, facts) ?? 0))
      .reduce((sum, reserved) => sum + reserved, 0),
  };
}

function soleOf(type: string, resources: TemplateFacts['resources']): TemplateResource {
  const [sole, ...others] = ofType(type, resources);
  if (!sole || others.length > 0) throw new TemplateProblem(`it has ${others.length + (sole ? 1 : 0)} of ${type}`);
  return sole;
}

function ofType(type: string, resources: TemplateFacts['resources']): TemplateResource[] {
  return [...resources.values()].filter((resource) => resource.type === type);
}

/**
 * True if Lambda creates no functions on the runtime. The list may be out of date, so that Lambda's refusal leads to a table of our
 * own too.
 */
export function isRetiredRuntime(runtime: string): boolean {
  return /^nodejs(4\.3|6\.10|8\.10|1[02468]\.x)?$|^python(2\.7|3\.[6-8])$/.test(runtime);
}
