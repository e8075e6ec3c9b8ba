import { taggedOurs } from '../aws/tags.ts';
import type { Permission } from '../step/contract.ts';
import { crawlersArn } from './crawler.ts';
import { curBucketPermissions } from './cur-bucket.ts';
import { glueArn, reportTablePermissions } from './report-table.ts';
import { clashPermissions } from './template-clash.ts';

const functions = 'arn:${AWS::Partition}:lambda:*:${AWS::AccountId}:function:kubecost-crawler-*';
const roles = 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/kubecost-crawler-*';
const stacks = 'arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}:stack/kubecost-crawler-*/*';
const catalog = [
  `${glueArn}:catalog`,
  `${glueArn}:database/athenacurcfn_*`,
  `${glueArn}:table/athenacurcfn_*/*`,
  `${glueArn}:userDefinedFunction/athenacurcfn_*/*`,
] as const;

/** What is there: stacks of runs, and what others have in the place of AWS's template. */
export const readStackPermissions: readonly Permission[] = [
  {
    actions: [
      'cloudformation:DescribeStackEvents',
      'cloudformation:DescribeStackResources',
      'cloudformation:DescribeStacks',
    ],
    resources: [stacks],
  },
  reportTablePermissions.search,
  ...clashPermissions,
];

const servicePolicies = 'arn:${AWS::Partition}:iam::aws:policy/service-role/';

/**
 * CloudFormation deletes the resources of a stack with the rights of its caller, so these are the actions of CloudFormation's handlers for
 * Glue databases, tables and crawlers, IAM roles, and Lambda functions. The stack's tags are on all of them but databases and tables,
 * whose tags Glue does not check.
 */
export const removeStackPermissions: readonly Permission[] = [
  { actions: ['cloudformation:DeleteStack'], resources: [stacks], condition: taggedOurs, crawler: 'remove' },
  { ...curBucketPermissions.notifications, crawler: 'remove' },
  { actions: ['glue:DeleteDatabase', 'glue:DeleteTable'], resources: catalog, crawler: 'remove' },
  {
    actions: ['glue:DeleteCrawler', 'glue:StopCrawler'],
    resources: [crawlersArn],
    condition: taggedOurs,
    crawler: 'remove',
  },
  {
    actions: [
      'iam:DeleteRole',
      'iam:DeleteRolePolicy',
      'iam:DetachRolePolicy',
      'iam:GetRole',
      'iam:GetRolePolicy',
      'iam:ListAttachedRolePolicies',
      'iam:ListRolePolicies',
    ],
    resources: [roles],
    condition: taggedOurs,
    crawler: 'remove',
  },
  {
    actions: [
      'lambda:DeleteFunction',
      'lambda:DeleteFunctionConcurrency',
      'lambda:GetFunction',
      'lambda:GetFunctionConfiguration',
      'lambda:GetPolicy',
      'lambda:InvokeFunction',
      'lambda:ListTags',
      'lambda:RemovePermission',
    ],
    resources: [functions],
    condition: taggedOurs,
    crawler: 'remove',
  },
];

/** To deploy AWS's template; CloudFormation creates its resources with the rights of its caller too. */
const deployPermissions: readonly Permission[] = [
  {
    actions: ['cloudformation:CreateStack', 'cloudformation:DeleteStack', 'cloudformation:TagResource'],
    resources: [stacks],
    crawler: 'full',
  },
  // Without s3:ListBucket, S3 answers AccessDenied for a template that does not exist.
  curBucketPermissions.list,
  curBucketPermissions.readObjects,
  // AWS's template reserves concurrency.
  { actions: ['lambda:GetAccountSettings'], resources: ['*'], crawler: 'full' },
  {
    actions: ['glue:CreateDatabase', 'glue:CreateTable', 'glue:UpdateDatabase', 'glue:UpdateTable'],
    resources: catalog,
    crawler: 'full',
  },
  {
    actions: [
      'glue:CreateCrawler',
      'glue:DeleteCrawler',
      'glue:StopCrawler',
      'glue:TagResource',
      'glue:UntagResource',
      'glue:UpdateCrawler',
    ],
    resources: [crawlersArn],
    crawler: 'full',
  },
  { actions: ['glue:TagResource'], resources: [`${glueArn}:database/athenacurcfn_*`], crawler: 'full' },
  // The roles of the template have AWS's policies for crawlers and functions, and may get no other one.
  {
    actions: ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'],
    resources: [roles],
    condition: {
      ArnEquals: {
        'iam:PolicyARN': [`${servicePolicies}AWSGlueServiceRole`, `${servicePolicies}AWSLambdaBasicExecutionRole`],
      },
    },
    crawler: 'full',
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
    crawler: 'full',
  },
  {
    actions: ['iam:PassRole'],
    resources: [roles],
    condition: { StringEquals: { 'iam:PassedToService': ['glue.amazonaws.com', 'lambda.amazonaws.com'] } },
    crawler: 'full',
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
    crawler: 'full',
  },
];

export const crawlerStackPermissions: readonly Permission[] = [
  ...readStackPermissions,
  ...removeStackPermissions,
  ...deployPermissions,
];
