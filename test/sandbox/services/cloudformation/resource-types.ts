import { createHash } from 'node:crypto';
import { AwsError, type CallContext, type Service } from '../../service.ts';
import { glueService } from '../glue/service.ts';
import { iamService } from '../iam/service.ts';
import { callAs, demand } from './act-as-caller.ts';
import { answerOf, type LambdaFunction } from './custom-resource-functions.ts';
import type { Stack, StackResource } from './service.ts';
import type { Properties } from './template.ts';

export interface ResourceContext extends CallContext {
  stack: Stack;
  resource: StackResource;
}

interface ResourceType {
  /** Virtual seconds from start to CREATE_COMPLETE. */
  seconds: number;
  /** Sets the resource's physical id when something exists. `silence`: never completes. */
  create(properties: Properties, cx: ResourceContext): Promise<'silence' | undefined>;
  remove(properties: Properties, cx: ResourceContext): Promise<void>;
}

const retiredRuntimes = /^nodejs(\d(\.\d+)?|1[02468]\.x)$/;

export function resourceType(type: string): ResourceType {
  const found = resourceTypes[type.startsWith('Custom::') ? 'AWS::CloudFormation::CustomResource' : type];
  if (!found) throw new AwsError('InvalidRequest', `The sandbox cannot create resources of type ${type}`);
  return found;
}

const resourceTypes: Record<string, ResourceType> = {
  'AWS::Glue::Database': {
    seconds: 12,
    async create({ DatabaseInput }, cx) {
      await call(cx, glueService, 'CreateDatabase', { DatabaseInput });
      cx.resource.physicalId = nameIn(DatabaseInput);
      return undefined;
    },
    remove: (_, cx) => gone(cx, glueService, 'DeleteDatabase', { Name: cx.resource.physicalId }),
  },

  'AWS::Glue::Table': {
    seconds: 8,
    async create({ DatabaseName, TableInput }, cx) {
      await call(cx, glueService, 'CreateTable', { DatabaseName, TableInput });
      cx.resource.physicalId = nameIn(TableInput);
      return undefined;
    },
    remove: ({ DatabaseName }, cx) =>
      gone(cx, glueService, 'DeleteTable', { DatabaseName, Name: cx.resource.physicalId }),
  },

  'AWS::Glue::Crawler': {
    seconds: 20,
    async create({ Schedule, Tags, ...settings }, cx) {
      const name = text(settings.Name) || generatedName(cx);
      const expression = (Schedule as Properties | undefined)?.ScheduleExpression;
      const tags = { ...stackTags(cx), ...(Tags as Properties | undefined) };
      await call(cx, glueService, 'CreateCrawler', {
        ...settings,
        Name: name,
        ...(expression !== undefined && { Schedule: expression }),
        ...(Object.keys(tags).length > 0 && { Tags: tags }),
      });
      cx.resource.physicalId = name;
      markWithStack(cx, `crawler/${name}`);
      return undefined;
    },
    remove: (_, cx) => gone(cx, glueService, 'DeleteCrawler', { Name: cx.resource.physicalId }),
  },

  'AWS::IAM::Role': {
    seconds: 25,
    async create(properties, cx) {
      const RoleName = text(properties.RoleName) || generatedName(cx).slice(0, 64);
      const { AssumeRolePolicyDocument: trust, Policies = [], ManagedPolicyArns = [], Tags = [] } = properties;
      await call(cx, iamService, 'CreateRole', {
        RoleName,
        Path: properties.Path,
        Description: properties.Description,
        PermissionsBoundary: properties.PermissionsBoundary,
        AssumeRolePolicyDocument: JSON.stringify(trust),
        Tags: [...(Tags as Properties[]), ...tagList(cx)],
      });
      const path = text(properties.Path) || '/';
      cx.resource.physicalId = RoleName;
      cx.resource.attributes.Arn = `arn:aws:iam::${cx.caller.accountId}:role${path}${RoleName}`;
      for (const { PolicyName, PolicyDocument } of Policies as Properties[])
        await call(cx, iamService, 'PutRolePolicy', {
          RoleName,
          PolicyName,
          PolicyDocument: JSON.stringify(PolicyDocument),
        });
      for (const PolicyArn of ManagedPolicyArns as string[])
        await call(cx, iamService, 'AttachRolePolicy', { RoleName, PolicyArn });
      return undefined;
    },
    async remove({ Policies = [], ManagedPolicyArns = [] }, cx) {
      const RoleName = cx.resource.physicalId;
      for (const { PolicyName } of Policies as Properties[])
        await gone(cx, iamService, 'DeleteRolePolicy', { RoleName, PolicyName });
      for (const PolicyArn of ManagedPolicyArns as string[])
        await gone(cx, iamService, 'DetachRolePolicy', { RoleName, PolicyArn });
      await gone(cx, iamService, 'DeleteRole', { RoleName });
    },
  },

  'AWS::Lambda::Function': {
    seconds: 30,
    create(properties, cx) {
      const { accountId } = cx.caller;
      const name = text(properties.FunctionName) || generatedName(cx).slice(0, 64);
      const arn = `arn:aws:lambda:${cx.region}:${accountId}:function:${name}`;
      const runtime = text(properties.Runtime);
      demand(cx, { action: 'lambda:CreateFunction', resources: [arn] });
      demand(cx, {
        action: 'iam:PassRole',
        resources: [text(properties.Role)],
        context: { 'iam:PassedToService': 'lambda.amazonaws.com' },
      });
      if (tagList(cx).length > 0) demand(cx, { action: 'lambda:TagResource', resources: [arn] });
      // Source: the handlers of AWS::Lambda::Function in the CloudFormation registry.
      if (properties.RecursiveLoop !== undefined)
        demand(cx, { action: 'lambda:PutFunctionRecursionConfig', resources: [arn] });
      if (properties.RuntimeManagementConfig !== undefined)
        demand(cx, { action: 'lambda:PutRuntimeManagementConfig', resources: [arn] });
      if (retiredRuntimes.test(runtime))
        throw invalidParameter(
          `The runtime parameter of ${runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.`,
        );
      if (!cx.world.iam.trusts(text(properties.Role), 'lambda.amazonaws.com'))
        throw invalidParameter('The role defined for the function cannot be assumed by Lambda.');
      cx.resource.physicalId = name;
      cx.resource.attributes.Arn = arn;
      const code = text((properties.Code as Properties | undefined)?.ZipFile);
      const reserved = Number(properties.ReservedConcurrentExecutions ?? 0);
      const made = {
        arn,
        accountId,
        region: cx.region,
        roleArn: text(properties.Role),
        code,
        openToS3: false,
        tags: stackTags(cx),
      };
      cx.world.cloudformation.functions.set(arn, made);
      if (reserved > 0) {
        demand(cx, { action: 'lambda:PutFunctionConcurrency', resources: [arn] });
        cx.world.lambda.reserve(accountId, cx.region, name, reserved);
      }
      return Promise.resolve(undefined);
    },
    remove(_, cx) {
      const { physicalId = '', attributes } = cx.resource;
      demandOnFunction(cx, 'DeleteFunction', attributes.Arn ?? '');
      cx.world.lambda.release(cx.caller.accountId, cx.region, physicalId);
      cx.world.cloudformation.functions.delete(attributes.Arn ?? '');
      return Promise.resolve();
    },
  },

  'AWS::Lambda::Permission': {
    seconds: 15,
    create({ FunctionName, Principal }, cx) {
      const made = functionOf(FunctionName, cx);
      demandOnFunction(cx, 'AddPermission', made.arn);
      made.openToS3 ||= Principal === 's3.amazonaws.com';
      cx.resource.physicalId = generatedName(cx);
      return Promise.resolve(undefined);
    },
    remove({ FunctionName }, cx) {
      demandOnFunction(cx, 'RemovePermission', text(FunctionName));
      const made = cx.world.cloudformation.functions.get(text(FunctionName));
      if (made) made.openToS3 = false;
      return Promise.resolve();
    },
  },

  'AWS::CloudFormation::CustomResource': {
    seconds: 30,
    async create(properties, cx) {
      const answer = await answerOf(cx.world, invoked(properties.ServiceToken, cx), properties, 'Create');
      cx.resource.physicalId = generatedName(cx);
      return answer === 'silence' ? answer : undefined;
    },
    async remove(properties, cx) {
      await answerOf(cx.world, invoked(properties.ServiceToken, cx), properties, 'Delete');
    },
  },
};

function call(cx: ResourceContext, service: Service, name: string, input: object): Promise<unknown> {
  return callAs(cx, service, name, input);
}

/** Removes a resource. CloudFormation treats a missing resource as removed. */
async function gone(cx: ResourceContext, service: Service, name: string, input: object): Promise<void> {
  try {
    await callAs(cx, service, name, input);
  } catch (error) {
    if (!(error instanceof AwsError) || !/NotFound|NoSuchEntity/.test(error.code)) throw error;
  }
}

function functionOf(arn: unknown, { world }: ResourceContext): LambdaFunction {
  const made = world.cloudformation.functions.get(text(arn));
  if (!made) throw new AwsError('ResourceNotFoundException', `Function not found: ${text(arn)}`, 404);
  return made;
}

function invoked(arn: unknown, cx: ResourceContext): LambdaFunction {
  demandOnFunction(cx, 'InvokeFunction', text(arn));
  return functionOf(arn, cx);
}

function demandOnFunction(cx: ResourceContext, action: string, arn: string): void {
  const { tags = {} } = cx.world.cloudformation.functions.get(arn) ?? {};
  const context = Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:ResourceTag/${key}`, value]));
  demand(cx, { action: `lambda:${action}`, resources: [arn], context });
}

function invalidParameter(message: string): AwsError {
  return new AwsError('InvalidParameterValueException', message, 400);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function nameIn(input: unknown): string {
  return text((input as Properties | undefined)?.Name).toLowerCase();
}

/** `stack-LogicalId-A1B2C3D4E5F6`, CloudFormation's name for a resource without a name in the template. */
function generatedName({ stack, resource }: ResourceContext): string {
  const digest = createHash('sha256')
    .update(`${stack.id}${resource.logicalId}`)
    .digest('hex')
    .slice(0, 11)
    .toUpperCase();
  // Always with a letter: twelve digits would look like an account id.
  return `${stack.name.slice(0, 24)}-${resource.logicalId.slice(0, 24)}-A${digest}`;
}

/** Tags of the stack also apply to every taggable resource, which needs the permission to tag it. */
function stackTags({ stack }: ResourceContext): Record<string, string> {
  return Object.fromEntries(stack.tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}

/** CloudFormation itself adds these tags, which needs no permission. */
function markWithStack({ world, caller, region, stack, resource }: ResourceContext, name: string): void {
  const { tags } = world.glue.catalog(caller.accountId, region);
  const arn = `arn:aws:glue:${region}:${caller.accountId}:${name}`;
  tags.set(arn, {
    ...tags.get(arn),
    'aws:cloudformation:stack-id': stack.id,
    'aws:cloudformation:stack-name': stack.name,
    'aws:cloudformation:logical-id': resource.logicalId,
  });
}

function tagList(cx: ResourceContext): { Key: string; Value: string }[] {
  return Object.entries(stackTags(cx)).map(([Key, Value]) => ({ Key, Value }));
}
