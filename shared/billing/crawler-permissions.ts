import type { Permission } from '../step/contract.ts';
import { crawlersArn } from './crawler.ts';
import { curBucketPermissions } from './cur-bucket.ts';
import { glueArn, reportTablePermissions } from './report-table.ts';

const functions = 'arn:${AWS::Partition}:lambda:*:${AWS::AccountId}:function:kubecost-crawler-*';
const roles = 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/kubecost-crawler-*';

/**
 * The crawler stack. CloudFormation creates and deletes its resources with the rights of its caller, so these include the actions of
 * CloudFormation's handlers for Glue databases, tables and crawlers, IAM roles, and Lambda functions.
 */
export const crawlerStackPermissions: readonly Permission[] = [
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
  curBucketPermissions.notifications,
  // AWS's template. Without s3:ListBucket, S3 answers AccessDenied for a template that does not exist.
  curBucketPermissions.list,
  curBucketPermissions.readObjects,
  // AWS's template reserves concurrency.
  { actions: ['lambda:GetAccountSettings'], resources: ['*'] },
  reportTablePermissions.search,
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
      `${glueArn}:catalog`,
      `${glueArn}:database/athenacurcfn_*`,
      `${glueArn}:table/athenacurcfn_*/*`,
      `${glueArn}:userDefinedFunction/athenacurcfn_*/*`,
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
    resources: [crawlersArn],
  },
  { actions: ['glue:TagResource'], resources: [`${glueArn}:database/athenacurcfn_*`] },
  // The crawler's role has AWS's policy for crawlers, and may get no other one.
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
];
