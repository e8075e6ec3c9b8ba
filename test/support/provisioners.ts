import { accessTemplate } from '../../functions/deployment/access-templates.ts';
import type { PolicyDocument } from '../../shared/aws/policy-document.ts';
import type { World } from '../sandbox/index.ts';
import { deploymentId, hubAccountId } from './deployed-sandbox.ts';

interface Template {
  Parameters: Record<string, { Default?: string }>;
  Resources: {
    Provisioner: {
      Properties: { AssumeRolePolicyDocument: unknown; Policies: { PolicyName: string; PolicyDocument: unknown }[] };
    };
  };
}

/**
 * Deploys the rendered access template in an account, so every run there has exactly the permissions that a
 * customer grants: AWS denies a call that a step does not declare.
 * @param parameters of the template, such as CurBucket; defaults as in the template
 */
export function deployProvisioner(
  world: World,
  kind: 'payer' | 'cluster',
  accountId: string,
  parameters: Record<string, string> = {},
): void {
  const template = accessTemplate(kind) as Template;
  const defaults = Object.fromEntries(
    Object.entries(template.Parameters).map(([name, { Default = '' }]) => [name, Default]),
  );
  const values: Record<string, string> = {
    ...defaults,
    ...parameters,
    HubAccountId: hubAccountId,
    DeploymentId: deploymentId,
    'AWS::AccountId': accountId,
    'AWS::Partition': 'aws',
  };
  const { AssumeRolePolicyDocument, Policies } = template.Resources.Provisioner.Properties;
  world.iam.createRole({
    accountId,
    name: values.ProvisionerName ?? '',
    path: values.ProvisionerPath ?? '/',
    trust: substitute(AssumeRolePolicyDocument, values) as PolicyDocument,
    inline: Object.fromEntries(
      Policies.map(({ PolicyName, PolicyDocument }) => [
        PolicyName,
        substitute(PolicyDocument, values) as PolicyDocument,
      ]),
    ),
    settled: true,
  });
}

/** Fn::Sub and Ref as CloudFormation resolves them. */
function substitute(value: unknown, values: Record<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => substitute(item, values));
  if (typeof value !== 'object' || value === null) return value;
  const { 'Fn::Sub': text, Ref: name } = value as { 'Fn::Sub'?: string; Ref?: string };
  if (text !== undefined) return text.replaceAll(/\$\{([\w:]+)\}/g, (_, key: string) => values[key] ?? '');
  if (name !== undefined) return values[name] ?? '';
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substitute(item, values)]));
}
