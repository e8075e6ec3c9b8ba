import type { PolicyDocument } from '../../policy-evaluation.ts';

function allow(Action: string[], Resource: string[] = ['*']): PolicyDocument {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource }] };
}

/** The AWS managed policies that the tests need, by the end of their ARN (`arn:aws:iam::aws:policy/…`). */
export const awsManagedPolicies: Record<string, PolicyDocument | undefined> = {
  AdministratorAccess: allow(['*']),
  AmazonEKSClusterPolicy: allow(['ec2:Describe*', 'elasticloadbalancing:*', 'iam:CreateServiceLinkedRole']),
  AmazonEKSWorkerNodePolicy: allow(['ec2:Describe*', 'eks:DescribeCluster', 'eks-auth:AssumeRoleForPodIdentity']),
  'service-role/AWSLambdaBasicExecutionRole': allow([
    'logs:CreateLogGroup',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
  ]),
  'service-role/AWSGlueServiceRole': {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: [
          'glue:*',
          's3:GetBucketLocation',
          's3:ListBucket',
          's3:ListAllMyBuckets',
          's3:GetBucketAcl',
          'iam:ListRolePolicies',
          'iam:GetRole',
          'iam:GetRolePolicy',
          'cloudwatch:PutMetricData',
        ],
        Resource: ['*'],
      },
      {
        Effect: 'Allow',
        Action: ['s3:CreateBucket'],
        Resource: ['arn:aws:s3:::aws-glue-*'],
      },
      {
        Effect: 'Allow',
        Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
        Resource: ['arn:aws:s3:::aws-glue-*/*', 'arn:aws:s3:::*/*aws-glue-*/*'],
      },
      {
        Effect: 'Allow',
        Action: ['s3:GetObject'],
        Resource: ['arn:aws:s3:::crawler-public*', 'arn:aws:s3:::aws-glue-*'],
      },
      {
        Effect: 'Allow',
        Action: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
        Resource: ['arn:aws:logs:*:*:*:/aws-glue/*'],
      },
    ],
  },
};
