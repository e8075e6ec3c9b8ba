import { stringify } from 'yaml';
import type { Permission } from '../../shared/step/contract.ts';
import { steps } from '../steps/index.ts';

export type Account = 'payer' | 'cluster';

interface Parameter {
  Type: 'String';
  Description: string;
  Default?: string;
  AllowedPattern?: string;
}

const hubParameters: Record<string, Parameter> = {
  HubAccountId: { Type: 'String', Description: 'Account of the deployment that may enter', AllowedPattern: '\\d{12}' },
  DeploymentId: { Type: 'String', Description: 'The deployment’s id; with this account’s id it makes the external id' },
  ProvisionerPath: {
    Type: 'String',
    Description: 'The deployment’s provisionerPath',
    Default: '/kubecost-payer-onboarding/',
  },
  FunctionPath: {
    Type: 'String',
    Description: 'IAM path of the deployment’s functions',
    Default: '/kubecost-payer-onboarding/functions/',
  },
};

/** Names the rights are cut down to; a value with * covers several. */
const nameParameters: Record<Account, Record<string, Parameter>> = {
  payer: {
    ProvisionerName: {
      Type: 'String',
      Description: 'The deployment’s payerProvisionerName',
      Default: 'kubecost-payer-provisioner',
    },
    CurBucket: {
      Type: 'String',
      Description: 'The report’s bucket; name an existing one to have its report adopted',
      Default: 'kubecost-cur-*',
    },
    AthenaResultsBucket: {
      Type: 'String',
      Description: 'Bucket of Athena’s results',
      Default: 'kubecost-athena-results-*',
    },
    AthenaWorkgroup: { Type: 'String', Description: 'Athena workgroup', Default: '*' },
    PayerRole: { Type: 'String', Description: 'Role that Kubecost assumes', Default: 'kubecost-cur-access' },
  },
  cluster: {
    ProvisionerName: {
      Type: 'String',
      Description: 'The deployment’s clusterProvisionerName',
      Default: 'kubecost-cluster-provisioner',
    },
    Cluster: { Type: 'String', Description: 'EKS cluster', Default: '*' },
    PodRole: { Type: 'String', Description: 'Role of Kubecost’s pods', Default: 'kubecost-*' },
  },
};

/** The provisioner role of one kind of account: trusts the hub’s functions with the account’s external id, may do what the steps declare. */
export function accessTemplate(account: Account): object {
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: `Lets a kubecost-payer-onboarding deployment work in this ${account} account. Generated: npm run access-templates.`,
    Parameters: { ...hubParameters, ...nameParameters[account] },
    Resources: {
      Provisioner: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: { Ref: 'ProvisionerName' },
          Path: { Ref: 'ProvisionerPath' },
          AssumeRolePolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Principal: { AWS: { 'Fn::Sub': 'arn:${AWS::Partition}:iam::${HubAccountId}:root' } },
                Action: 'sts:AssumeRole',
                Condition: {
                  StringEquals: { 'sts:ExternalId': { 'Fn::Sub': '${DeploymentId}/${AWS::AccountId}' } },
                  ArnLike: {
                    'aws:PrincipalArn': {
                      'Fn::Sub': 'arn:${AWS::Partition}:iam::${HubAccountId}:role${FunctionPath}*',
                    },
                  },
                },
              },
            ],
          },
          Policies: [
            {
              PolicyName: 'onboarding-steps',
              PolicyDocument: { Version: '2012-10-17', Statement: statementsFor(account) },
            },
          ],
        },
      },
    },
    Outputs: { ProvisionerArn: { Value: { 'Fn::GetAtt': ['Provisioner', 'Arn'] } } },
  };
}

/** The steps’ declared actions, those on the same resources under the same condition in one statement. */
function statementsFor(account: Account): object[] {
  const declared = Object.values(steps).flatMap(({ permissions }) => permissions[account] ?? []);
  const grouped = new Map<string, { permission: Permission; actions: Set<string> }>();
  for (const permission of declared) {
    const key = JSON.stringify([[...permission.resources].sort(), permission.condition]);
    const group = grouped.get(key) ?? { permission, actions: new Set<string>() };
    permission.actions.forEach((action) => group.actions.add(action));
    grouped.set(key, group);
  }
  return [...grouped.values()].map(({ permission, actions }) => ({
    Effect: 'Allow',
    Action: [...actions].sort(),
    Resource: [...permission.resources].sort().map(substituted),
    ...(permission.condition && { Condition: substituted(permission.condition) }),
  }));
}

/** Every text with a parameter in it becomes a Fn::Sub. */
function substituted(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('${') ? { 'Fn::Sub': value } : value;
  if (Array.isArray(value)) return value.map(substituted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substituted(item)]));
}

export function renderAccessTemplate(account: Account): string {
  return stringify(accessTemplate(account), { lineWidth: 0, aliasDuplicateObjects: false });
}
