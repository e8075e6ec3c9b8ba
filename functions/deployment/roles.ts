import type { Statement } from '../../shared/aws/policy-document.ts';
import type { DeployedFunction } from './deployed-function.ts';
import { deployedFunctions, logicalPrefix } from './registry.ts';

type Resource = { Type: string; Properties: Record<string, unknown> };

const sub = (text: string) => ({ 'Fn::Sub': text });
const tableArn = { 'Fn::GetAtt': ['RunsTable', 'Arn'] };

/** An execution's ARN names its machine, not the machine's ARN (Service Authorization Reference, Step Functions). */
const executionsOf = (machine: string) => ({
  'Fn::Sub': [
    'arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${Machine}:*',
    { Machine: { 'Fn::GetAtt': [machine, 'Name'] } },
  ],
});

/** One role for each function, all under one IAM path that the provisioner roles trust; each with exactly its own rights. */
export function functionRoles(): Record<string, Resource> {
  return Object.fromEntries(
    deployedFunctions.map((deployed) => [`${logicalPrefix(deployed.key)}Role`, roleFor(deployed)]),
  );
}

function roleFor(deployed: DeployedFunction): Resource {
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      Path: '/kubecost-payer-onboarding/functions/',
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
      },
      Policies: [
        { PolicyName: 'function', PolicyDocument: { Version: '2012-10-17', Statement: statementsFor(deployed) } },
      ],
    },
  };
}

/**
 * Lambda needs these rights for the network interfaces of a function in a VPC, and has no narrower resource for them; the function's own
 * code gets none of them (Lambda guide, "Giving Lambda functions access to resources in an Amazon VPC", IAM permissions).
 */
function networkStatements(functionName: string): unknown[] {
  const Action = [
    'ec2:AssignPrivateIpAddresses',
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:UnassignPrivateIpAddresses',
  ];
  const functionArn = sub(`arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${functionName}`);
  return [
    { Effect: 'Allow', Action, Resource: '*' },
    { Effect: 'Deny', Action, Resource: '*', Condition: { ArnEquals: { 'lambda:SourceFunctionArn': functionArn } } },
  ].map((statement) => ({ 'Fn::If': ['InVpc', statement, { Ref: 'AWS::NoValue' }] }));
}

function statementsFor(deployed: DeployedFunction): unknown[] {
  const functionName = `\${self:service}-\${sls:stage}-${deployed.key}`;
  const logGroup = `log-group:/aws/lambda/${functionName}`;
  const statements: (Omit<Statement, 'Resource'> & { Resource: unknown })[] = [
    {
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: sub(`arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:${logGroup}:*`),
    },
  ];
  const { table = [] } = deployed;
  if (table.length > 0) {
    const indexes = { 'Fn::Sub': ['${Table}/index/*', { Table: tableArn }] };
    statements.push({
      Effect: 'Allow',
      Action: table.map((action) => `dynamodb:${action}`),
      Resource: deployed.indexes ? [tableArn, indexes] : tableArn,
    });
  }
  const provisioners = [
    ...(deployed.entersPayer ? ['${param:payerProvisionerName}'] : []),
    ...(deployed.entersCluster ? ['${param:clusterProvisionerName}'] : []),
  ].map((name) => sub(`arn:\${AWS::Partition}:iam::*:role\${param:provisionerPath}${name}`));
  if (provisioners.length > 0) statements.push({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: provisioners });
  if (deployed.startsExecutions) {
    statements.push({
      Effect: 'Allow',
      Action: 'states:StartExecution',
      Resource: [{ Ref: 'ProvisionStateMachine' }, { Ref: 'OffboardStateMachine' }],
    });
  }
  if (deployed.stopsExecutions) {
    statements.push({
      Effect: 'Allow',
      Action: 'states:StopExecution',
      Resource: ['ProvisionStateMachine', 'OffboardStateMachine'].map(executionsOf),
    });
  }
  if (deployed.watchesExecutions) {
    statements.push(
      {
        Effect: 'Allow',
        Action: 'states:DescribeExecution',
        Resource: ['ProvisionStateMachine', 'OffboardStateMachine'].map(executionsOf),
      },
      // IAM has no resource for a task token (Service Authorization Reference; aws-cdk discussion 26401).
      { Effect: 'Allow', Action: 'states:SendTaskSuccess', Resource: '*' },
    );
  }
  if (deployed.publishesEvents) {
    statements.push({
      Effect: 'Allow',
      Action: 'events:PutEvents',
      Resource: { 'Fn::GetAtt': ['RunEventBus', 'Arn'] },
    });
  }
  return [...statements, ...(deployed.reachesCluster ? networkStatements(functionName) : [])];
}
