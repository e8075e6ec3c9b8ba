import type { Permission } from '../step/contract.ts';

const glue = 'arn:${AWS::Partition}:glue:*:${AWS::AccountId}';
const functions = 'arn:${AWS::Partition}:lambda:*:${AWS::AccountId}:function:kubecost-crawler-*';
const roles = 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/kubecost-crawler-*';

/** CloudFormation creates the stack's resources with the rights of whoever calls it, so these are the stack's rights too. */
export const crawlerStackPermissions: { payer: readonly Permission[] } = {
  payer: [
    {
      actions: [
        'cloudformation:CreateStack',
        'cloudformation:DeleteStack',
        'cloudformation:DescribeStackEvents',
        'cloudformation:DescribeStackResources',
        'cloudformation:DescribeStacks',
        'cloudformation:TagResource',
      ],
      resources: ['arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}:stack/kubecost-crawler-*/*'],
    },
    {
      actions: ['s3:GetBucketNotification', 's3:ListBucket', 's3:PutBucketNotification'],
      resources: ['arn:${AWS::Partition}:s3:::${CurBucket}'],
    },
    { actions: ['s3:GetObject'], resources: ['arn:${AWS::Partition}:s3:::${CurBucket}/*'] },
    { actions: ['lambda:GetAccountSettings'], resources: ['*'] },
    {
      actions: ['glue:GetDatabase', 'glue:GetDatabases', 'glue:GetTable', 'glue:GetTables'],
      resources: [`${glue}:catalog`, `${glue}:database/*`, `${glue}:table/*/*`],
    },
    {
      actions: [
        'glue:CreateDatabase',
        'glue:CreateTable',
        'glue:DeleteDatabase',
        'glue:DeleteTable',
        'glue:UpdateDatabase',
        'glue:UpdateTable',
      ],
      resources: [
        `${glue}:catalog`,
        `${glue}:database/athenacurcfn_*`,
        `${glue}:table/athenacurcfn_*/*`,
        `${glue}:userDefinedFunction/athenacurcfn_*/*`,
      ],
    },
    {
      actions: [
        'glue:CreateCrawler',
        'glue:DeleteCrawler',
        'glue:GetCrawler',
        'glue:GetTags',
        'glue:StopCrawler',
        'glue:TagResource',
        'glue:UntagResource',
        'glue:UpdateCrawler',
      ],
      resources: [`${glue}:crawler/AWSCURCrawler-*`],
    },
    { actions: ['glue:TagResource'], resources: [`${glue}:database/athenacurcfn_*`] },
    {
      actions: ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'],
      resources: [roles],
      condition: {
        ArnEquals: { 'iam:PolicyARN': 'arn:${AWS::Partition}:iam::aws:policy/service-role/AWSGlueServiceRole' },
      },
    },
    {
      actions: [
        'iam:CreateRole',
        'iam:DeleteRole',
        'iam:DeleteRolePolicy',
        'iam:GetRole',
        'iam:GetRolePolicy',
        'iam:ListAttachedRolePolicies',
        'iam:ListRolePolicies',
        'iam:PutRolePolicy',
        'iam:TagRole',
        'iam:UntagRole',
      ],
      resources: [roles],
    },
    {
      actions: ['iam:PassRole'],
      resources: [roles],
      condition: { StringEquals: { 'iam:PassedToService': ['glue.amazonaws.com', 'lambda.amazonaws.com'] } },
    },
    {
      actions: [
        'lambda:AddPermission',
        'lambda:CreateFunction',
        'lambda:DeleteFunction',
        'lambda:DeleteFunctionConcurrency',
        'lambda:GetFunction',
        'lambda:GetFunctionConfiguration',
        'lambda:GetPolicy',
        'lambda:InvokeFunction',
        'lambda:ListTags',
        'lambda:PutFunctionConcurrency',
        'lambda:RemovePermission',
        'lambda:TagResource',
        'lambda:UntagResource',
      ],
      resources: [functions],
    },
  ],
};
