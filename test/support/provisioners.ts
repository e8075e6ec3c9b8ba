import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { accessTemplate } from '../../functions/deployment/access-templates.ts';
import type { PolicyDocument } from '../../shared/aws/policy-document.ts';
import type { World } from '../sandbox/index.ts';
import { deploymentId, hubAccountId } from './deployed-sandbox.ts';

interface Template {
  Parameters: Record<string, { Default?: string }>;
  Conditions?: Record<string, unknown>;
  Resources: {
    Provisioner: {
      Properties: {
        AssumeRolePolicyDocument: unknown;
        Tags?: unknown;
        Policies: { PolicyName: string; PolicyDocument: unknown }[];
      };
    };
    /** A managed policy of the role. */
    CrawlerRights?: { Condition: string; Properties: { PolicyDocument: unknown } };
  };
}

/** The role of a rendered access template, as CloudFormation makes it. */
export interface RenderedRole {
  name: string;
  path: string;
  trust: PolicyDocument;
  tags: Record<string, string>;
  /** Its inline policies, and the managed one beside them. */
  inline: Record<string, PolicyDocument>;
}

/** @param parameters of the template, such as CurBucket; defaults as in the template */
export function renderProvisioner(
  kind: 'payer' | 'cluster',
  accountId: string,
  parameters: Record<string, string> = {},
  template = accessTemplate(kind) as Template,
): RenderedRole {
  const defaults = Object.fromEntries(
    Object.entries(template.Parameters).map(([name, { Default = '' }]) => [name, Default]),
  );
  const values: Record<string, string> = {
    ...defaults,
    HubAccountId: hubAccountId,
    DeploymentId: deploymentId,
    ...parameters,
    'AWS::AccountId': accountId,
    'AWS::Partition': 'aws',
  };
  const { Provisioner, CrawlerRights } = template.Resources;
  const scope = { values, conditions: template.Conditions ?? {} };
  const resolve = (value: unknown) => resolved(value, scope);
  const managed = CrawlerRights && {
    PolicyName: 'CrawlerRights',
    PolicyDocument: { 'Fn::If': [CrawlerRights.Condition, CrawlerRights.Properties.PolicyDocument, none] },
  };
  const { AssumeRolePolicyDocument, Tags = [], Policies } = Provisioner.Properties;
  const tags = resolve(Tags) as { Key: string; Value: string }[];
  return {
    name: values.ProvisionerName ?? '',
    path: values.ProvisionerPath ?? '/',
    trust: resolve(AssumeRolePolicyDocument) as PolicyDocument,
    tags: Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value])),
    inline: Object.fromEntries(
      [...Policies, ...(managed ? [managed] : [])]
        .map(
          ({ PolicyName, PolicyDocument }) =>
            [PolicyName, resolve(PolicyDocument) as PolicyDocument | undefined] as const,
        )
        .flatMap(([name, document]) => (document ? [[name, document] as const] : [])),
    ),
  };
}

/**
 * Deploys the rendered access template in an account, so every run there has exactly the permissions that a
 * customer grants: AWS denies a call that a step does not declare.
 */
export function deployProvisioner(
  world: World,
  kind: 'payer' | 'cluster',
  accountId: string,
  parameters: Record<string, string> = {},
): void {
  world.iam.createRole({ accountId, ...renderProvisioner(kind, accountId, parameters), settled: true });
}

/** Deploys the template of release 0.3.0, in place of the one that is there. */
export function deployOldProvisioner(
  world: World,
  kind: 'payer' | 'cluster',
  accountId: string,
  parameters: Record<string, string> = {},
): void {
  const text = readFileSync(new URL(`../golden/releases/0.3.0/${kind}-provisioner.yaml`, import.meta.url), 'utf8');
  const role = renderProvisioner(kind, accountId, parameters, parse(text) as Template);
  world.iam.createRole({ accountId, ...role, settled: true });
}

const none = { Ref: 'AWS::NoValue' };

interface Scope {
  values: Record<string, string>;
  conditions: Record<string, unknown>;
}

/** A value with its functions resolved as CloudFormation resolves them; undefined for AWS::NoValue. */
function resolved(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((item) => resolved(item, scope)).filter((item) => item !== undefined);
  if (typeof value !== 'object' || value === null) return value;
  const [[name, argument] = ['', undefined], ...others] = Object.entries(value) as [string, unknown][];
  const evaluate = others.length === 0 ? intrinsics[name] : undefined;
  if (evaluate) return evaluate(argument, scope);
  const entries = Object.entries(value).map(([key, item]) => [key, resolved(item, scope)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

const texts = (value: unknown, scope: Scope) => resolved(value, scope) as string[];

const intrinsics: Record<string, ((argument: unknown, scope: Scope) => unknown) | undefined> = {
  Ref: (name, { values }) => (name === 'AWS::NoValue' ? undefined : valueOf(values, String(name))),
  'Fn::Sub': (text, { values }) =>
    String(text).replaceAll(/\$\{([\w:]+)\}/g, (_, name: string) => valueOf(values, name)),
  'Fn::Join': (argument, scope) => {
    const [separator, list] = argument as [string, unknown];
    return texts(list, scope).join(separator);
  },
  'Fn::Split': (argument, scope) => {
    const [separator, text] = argument as [string, unknown];
    return String(resolved(text, scope)).split(separator);
  },
  'Fn::Select': (argument, scope) => {
    const [index, list] = argument as [string, unknown];
    const selected = texts(list, scope)[Number(index)];
    if (selected === undefined) throw new Error(`Fn::Select cannot select nonexistent value at index ${index}`);
    return selected;
  },
  'Fn::Equals': (argument, scope) => {
    const [a, b] = texts(argument, scope);
    return a === b;
  },
  'Fn::Not': (argument, scope) => !texts(argument, scope)[0],
  'Fn::If': (argument, scope) => {
    const [condition, yes, no] = argument as [string, unknown, unknown];
    if (!(condition in scope.conditions)) throw new Error(`the template has no condition ${condition}`);
    return resolved(resolved(scope.conditions[condition], scope) ? yes : no, scope);
  },
};

function valueOf(values: Record<string, string>, name: string): string {
  const value = values[name];
  if (value === undefined) throw new Error(`the template has no parameter ${name}`);
  return value;
}
