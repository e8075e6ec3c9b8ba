import { isMap, type Json, listOf, TemplateProblem, type TemplateResource } from './crawler-template-document.ts';
import { crawlerDatabase, crawlerName, dataPath, type ReportPlace, reportRoot } from './report-location.ts';

/** The report of the template. Account and region are known in a run. */
export interface TemplatePlace extends ReportPlace {
  accountId?: string | undefined;
  region?: string | undefined;
}

/** What the rules for a template's resources compare with. */
export interface TemplateFacts {
  report: ReportPlace;
  accountId: string;
  resources: ReadonlyMap<string, TemplateResource>;
}

/** @throws TemplateProblem if the value may give code, a principal, an endpoint or a right */
export type Rule = (value: Json, facts: TemplateFacts, path: string) => void;

export function refuse(path: string, why: string): never {
  throw new TemplateProblem(`${path}: ${why}`);
}

/** The names that a resource declares for itself, which `Ref` gives. */
function declaredName({ type, properties }: TemplateResource): Json | undefined {
  if (type === 'AWS::Glue::Crawler') return properties.Name;
  const input = type === 'AWS::Glue::Database' ? properties.DatabaseInput : properties.TableInput;
  return isMap(input) ? input.Name : undefined;
}

/** The text of a value with the names of referenced resources; undefined if it has no text before the stack exists. */
export function textIn(value: Json | undefined, { resources }: Pick<TemplateFacts, 'resources'>): string | undefined {
  if (!isMap(value)) return typeof value === 'object' ? undefined : value?.toString();
  const { Ref: id, 'Fn::Join': join } = value;
  if (typeof id === 'string') {
    const resource = resources.get(id);
    const name = resource && declaredName(resource);
    return typeof name === 'string' ? name : undefined;
  }
  const [, parts = null] = listOf(join ?? null);
  const texts = listOf(parts).map((part) => textIn(part, { resources }));
  return parts === null || texts.includes(undefined) ? undefined : texts.join('');
}

/** The resource that a value refers to. @param attribute of Fn::GetAtt; without one, `Ref` counts */
export function referenced(value: Json, attribute?: string): string | undefined {
  if (!isMap(value)) return undefined;
  if (attribute === undefined) return typeof value.Ref === 'string' ? value.Ref : undefined;
  const [id, name] = listOf(value['Fn::GetAtt'] ?? null);
  return typeof id === 'string' && name === attribute ? id : undefined;
}

/** Words in the names of properties that give code, a principal, an endpoint or a right, or that name something of others. */
const powers =
  /arn|account|bucket|catalog|code|command|connection|definer|endpoint|grant|host|identi|image|key|kms|layer|permission|polic|principal|proxy|queue|role|script|secret|securit|source|subnet|target|token|topic|ur[il]|vpc|wrapper/i;

/** True if the property of a name that we do not know may have a harmless value. */
function isHarmlessName(name: string): boolean {
  return /^[A-Z][A-Za-z0-9]*$/.test(name) && name !== 'Ref' && !powers.test(name);
}

/** Scalars, lists and maps without an ARN, an address, the number of an account, or a reference. */
export const harmless: Rule = (value, facts, path) => {
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      harmless(item, facts, `${path}.${index}`);
    });
  } else if (isMap(value)) {
    const text = textIn(value, facts);
    if (text !== undefined) harmlessText(text, path);
    else
      for (const [name, item] of Object.entries(value)) {
        if (!isHarmlessName(name)) refuse(path, `has ${name}`);
        harmless(item, facts, `${path}.${name}`);
      }
  } else if (typeof value === 'string') harmlessText(value, path);
};

/** The same with keys of any name, as tags and parameters of tables have them. */
export const harmlessPairs: Rule = (value, facts, path) => {
  for (const [name, item] of Object.entries(isMap(value) ? value : {})) {
    harmlessText(name, path);
    if (isMap(item) || Array.isArray(item)) refuse(`${path}.${name}`, 'is not a text');
    harmless(item, facts, `${path}.${name}`);
  }
  if (!isMap(value)) refuse(path, 'is not a map');
};

/** Tags of IAM and Lambda: a list of keys and values. */
export const harmlessTags: Rule = (value, facts, path) => {
  for (const tag of listOf(value)) harmlessPairs(tag, facts, path);
};

function harmlessText(text: string, path: string): void {
  if (/\barn:|:\/\/|\b\d{12}\b|amazonaws\.com/i.test(text)) refuse(path, `has ${text.slice(0, 80)}`);
}

/** Any text, where it is for people or is never read. */
export const anyText: Rule = (value, facts, path) => {
  if (textIn(value, facts) === undefined) refuse(path, 'is not a text');
};

/** Exactly this text. */
export const only =
  (...texts: readonly string[]): Rule =>
  (value, facts, path) => {
    const text = textIn(value, facts);
    if (text === undefined || !texts.includes(text))
      refuse(path, `is ${shown(value)} instead of ${texts.join(' or ')}`);
  };

/** A text that the facts decide. */
export const matching =
  (what: string, test: (text: string, facts: TemplateFacts) => boolean): Rule =>
  (value, facts, path) => {
    const text = textIn(value, facts);
    if (text === undefined || !test(text, facts)) refuse(path, `is ${shown(value)}, not ${what}`);
  };

export const ownAccount = matching('this account', (text, { accountId }) => text === accountId);

const plain = (name: string) => name.replace(/[^a-z0-9]/gi, '').toLowerCase();
export const ownDatabaseName = matching(
  'the database of this report',
  (text, { report }) =>
    /^athenacurcfn_[a-z0-9_]+$/.test(text) && plain(text) === plain(crawlerDatabase(report.reportName)),
);

export const ownCrawlerName = matching(
  'the crawler of this report',
  (text, { report }) => text === crawlerName(report.reportName),
);

/** A folder of everything that AWS writes for the report. */
export const inReport = matching('a folder of this report', (text, { report }) =>
  text.startsWith(`s3://${report.bucket}/${reportRoot(report)}`),
);

export const onData = matching('the data of this report', (text, { report }) => {
  const home = `s3://${report.bucket}/${dataPath(report)}`;
  return text === home || text.startsWith(`${home}/`);
});

/** Each property has its rule; one without a rule is checked by its name and value. */
export const mapOf =
  (rules: Readonly<Record<string, Rule>>, others: 'harmless' | 'none' = 'harmless'): Rule =>
  (value, facts, path) => {
    if (!isMap(value)) refuse(path, 'is not a map');
    for (const [name, item] of Object.entries(value)) {
      const rule = Object.hasOwn(rules, name) ? rules[name] : name === 'Description' ? anyText : undefined;
      if (!rule && (others === 'none' || !isHarmlessName(name))) refuse(`${path}.${name}`, 'is not expected');
      (rule ?? harmless)(item, facts, `${path}.${name}`);
    }
  };

export const listIn =
  (rule: Rule): Rule =>
  (value, facts, path) => {
    listOf(value).forEach((item, index) => {
      rule(item, facts, `${path}.${index}`);
    });
  };

export const forbidden: Rule = (_, __, path) => refuse(path, 'is not expected');

function shown(value: Json): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 80);
}
