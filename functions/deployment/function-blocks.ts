import type { DeployedFunction } from './deployed-function.ts';
import { deployedFunctions, logicalPrefix } from './registry.ts';

/** API Gateway answers for a function after 30 seconds (its quota "Maximum integration timeout"). */
const routeTimeoutSeconds = 29;

/** The `functions` of serverless.yml. Without a timeout a function has the provider's. */
export function functionBlocks(): Record<string, object> {
  return Object.fromEntries(deployedFunctions.map((deployed) => [deployed.key, functionBlock(deployed)]));
}

function functionBlock({ key, route, events = [], ...rights }: DeployedFunction): object {
  const namesMachines = rights.startsExecutions ?? rights.stopsExecutions ?? rights.watchesExecutions;
  const httpApi = route && {
    method: route.method,
    path: route.path,
    ...(!route.open && { authorizer: { type: 'aws_iam' } }),
  };
  const invokedBy = [...(httpApi ? [{ httpApi }] : []), ...events];
  return {
    handler: `dist/${key}/index.handler`,
    package: { patterns: [`dist/${key}/**`] },
    role: { 'Fn::GetAtt': [`${logicalPrefix(key)}Role`, 'Arn'] },
    ...(route && { timeout: routeTimeoutSeconds }),
    ...(namesMachines && {
      environment: {
        PROVISION_STATE_MACHINE_ARN: { Ref: 'ProvisionStateMachine' },
        OFFBOARD_STATE_MACHINE_ARN: { Ref: 'OffboardStateMachine' },
      },
    }),
    ...(invokedBy.length > 0 && { events: invokedBy }),
  };
}

/** Functions that call the API of a cluster run in the deployer's VPC, if vpcSubnetIds is set. */
export function vpcExtensions(): Record<string, object> {
  const vpcConfig = {
    SubnetIds: { 'Fn::Split': [',', '${param:vpcSubnetIds}'] },
    SecurityGroupIds: { 'Fn::Split': [',', '${param:vpcSecurityGroupIds}'] },
  };
  const Properties = { VpcConfig: { 'Fn::If': ['InVpc', vpcConfig, { Ref: 'AWS::NoValue' }] } };
  return Object.fromEntries(
    deployedFunctions
      .filter(({ reachesCluster }) => reachesCluster)
      .map(({ key }) => [`${logicalPrefix(key)}LambdaFunction`, { Properties }]),
  );
}
