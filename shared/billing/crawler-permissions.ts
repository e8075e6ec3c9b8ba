import { taggedOurs } from '../aws/tags.ts';
import type { Permission } from '../step/contract.ts';
import { crawlersArn } from './crawler.ts';
import { curBucketPermissions } from './cur-bucket.ts';
import { keyPermissions } from './keys-in-play.ts';
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

/** Everything of a stack that IAM can name and that has the stack's tags. One list, because a role's policies are limited in size. */
const taggable = [stacks, crawlersArn, roles, functions] as const;

/** What CloudFormation calls to delete a stack and the taggable resources in it. */
const deletion = [
  'cloudformation:DeleteStack',
  'glue:DeleteCrawler',
  'glue:StopCrawler',
  'iam:DeleteRole',
  'iam:DeleteRolePolicy',
  'iam:DetachRolePolicy',
  'iam:GetRole',
  'iam:GetRolePolicy',
  'iam:ListAttachedRolePolicies',
  'iam:ListRolePolicies',
  'lambda:DeleteFunction',
  'lambda:DeleteFunctionConcurrency',
  'lambda:GetFunction',
  'lambda:GetFunctionConfiguration',
  'lambda:GetPolicy',
  'lambda:InvokeFunction',
  'lambda:ListTags',
  'lambda:RemovePermission',
] as const;

/**
 * CloudFormation deletes the resources of a stack with the rights of its caller, so these are the actions of CloudFormation's handlers for
 * Glue databases, tables and crawlers, IAM roles, and Lambda functions. Glue checks no tags of databases and tables.
 */
export const removeStackPermissions: readonly Permission[] = [
  { actions: deletion, resources: taggable, condition: taggedOurs, crawler: 'remove' },
  { actions: ['glue:DeleteDatabase', 'glue:DeleteTable'], resources: catalog, crawler: 'remove' },
  { ...curBucketPermissions.notifications, crawler: 'remove' },
];

const servicePolicies = 'arn:${AWS::Partition}:iam::aws:policy/service-role/';

/**
 * To deploy AWS's template; CloudFormation creates its resources with the rights of its caller too. The deletion is for a stack that lost
 * its tags, if a request purges it.
 */
const deployPermissions: readonly Permission[] = [
  {
    actions: [
      'cloudformation:CreateStack',
      ...deletion.filter((action) => action !== 'iam:DetachRolePolicy'),
      'cloudformation:TagResource',
      'glue:CreateCrawler',
      'glue:TagResource',
      'glue:UntagResource',
      'glue:UpdateCrawler',
      'iam:CreateRole',
      'iam:PutRolePolicy',
      'iam:TagRole',
      'iam:UntagRole',
      'lambda:AddPermission',
      'lambda:CreateFunction',
      'lambda:PutFunctionConcurrency',
      'lambda:TagResource',
      'lambda:UntagResource',
    ],
    resources: taggable,
    crawler: 'full',
  },
  // Without s3:ListBucket, S3 answers AccessDenied for a template that does not exist.
  curBucketPermissions.list,
  curBucketPermissions.readObjects,
  // The crawler writes to the catalog.
  keyPermissions.findCatalogKey,
  // AWS's template reserves concurrency.
  { actions: ['lambda:GetAccountSettings'], resources: ['*'], crawler: 'full' },
  {
    actions: ['glue:CreateDatabase', 'glue:CreateTable', 'glue:UpdateDatabase', 'glue:UpdateTable'],
    resources: catalog,
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
    actions: ['iam:PassRole'],
    resources: [roles],
    condition: { StringEquals: { 'iam:PassedToService': ['glue.amazonaws.com', 'lambda.amazonaws.com'] } },
    crawler: 'full',
  },
];

export const crawlerStackPermissions: readonly Permission[] = [
  ...readStackPermissions,
  ...removeStackPermissions,
  ...deployPermissions,
];
