import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import type { Stack, StackEvent } from '@aws-sdk/client-cloudformation';
import { describe, expect, it } from 'vitest';
import { ask, billingWorld, payer, sessionOf, trust } from '../../testing/billing-world.ts';
import type { World } from '../../world.ts';
import { lambdaRefusals } from './planted-failures.ts';
import type { PropertyNames } from './property-names.ts';
import { cloudformationService } from './service.ts';

const region = 'eu-central-1';
const minute = 60_000;

function worldWithTemplate(templateRuntime?: string): World {
  const world = billingWorld();
  world.cur.seedReport({
    accountId: payer,
    definition: { ReportName: 'kubecost_cur', S3Bucket: 'reports', S3Prefix: 'cur', S3Region: region },
    deliveredSince: Date.parse('2026-10-01T00:00:00Z'),
    ...(templateRuntime && { templateRuntime }),
  });
  return world;
}

/** A property's type in CloudFormation's specification. */
interface SpecType {
  type: string;
  element?: SpecType;
  reference?: { $ref: string };
}

/** The delivered template with one change. */
function edited(world: World, from: string, to: string): string {
  return (world.s3.text('reports', 'cur/kubecost_cur/crawler-cfn.yml') ?? '').replace(from, to);
}

const create = (world: World, changes: object = {}) =>
  ask<{ StackId: string }>(world, cloudformationService, 'CreateStack', {
    StackName: 'kubecost-crawler',
    TemplateBody: world.s3.text('reports', 'cur/kubecost_cur/crawler-cfn.yml'),
    Capabilities: ['CAPABILITY_IAM'],
    TimeoutInMinutes: 30,
    ...changes,
  });

async function describeStack(world: World, StackName = 'kubecost-crawler'): Promise<Stack | undefined> {
  const { Stacks } = await ask<{ Stacks: Stack[] }>(world, cloudformationService, 'DescribeStacks', { StackName });
  return Stacks[0];
}

async function events(world: World, StackName = 'kubecost-crawler'): Promise<StackEvent[]> {
  const all: StackEvent[] = [];
  let NextToken: string | undefined;
  do {
    const input = { StackName, NextToken };
    const page = await ask<{ StackEvents: StackEvent[]; NextToken?: string }>(
      world,
      cloudformationService,
      'DescribeStackEvents',
      input,
    );
    all.push(...page.StackEvents);
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return all;
}

/** The oldest failure that no other failure caused. */
async function rootCause(world: World, stack?: string): Promise<StackEvent | undefined> {
  const failed = (await events(world, stack)).filter(
    ({ ResourceStatus, ResourceStatusReason }) =>
      ResourceStatus?.endsWith('_FAILED') && ResourceStatusReason !== 'Resource creation cancelled',
  );
  return failed.at(-1);
}

describe('The crawler stack', () => {
  it('creates its resources in the order of their references', async () => {
    const world = worldWithTemplate();
    await create(world);
    await world.clock.sleep(2 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('CREATE_IN_PROGRESS');
    await world.clock.sleep(2 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('CREATE_COMPLETE');
    const complete = (await events(world)).filter(({ ResourceStatus }) => ResourceStatus === 'CREATE_COMPLETE');
    const order = complete.map(({ LogicalResourceId }) => LogicalResourceId).reverse();
    expect(order).toHaveLength(12);
    expect(order.indexOf('AWSCURDatabase')).toBeLessThan(order.indexOf('AWSCURCrawler'));
    expect(order.indexOf('AWSCURInitializer')).toBeLessThan(order.indexOf('AWSStartCURCrawler'));
    expect(order.at(-1)).toBe('kubecost-crawler');
  });

  it('crawls and replaces the notifications of the bucket', async () => {
    const world = worldWithTemplate();
    const bucket = world.s3.buckets.get('reports');
    if (bucket) bucket.notification = { EventBridgeConfiguration: {} };
    await create(world);
    await world.clock.sleep(8 * minute);
    const { databases } = world.glue.catalog(payer, region);
    const tables = [...(databases.get('athenacurcfn_kubecost_cur')?.tables.keys() ?? [])];
    expect(tables.sort()).toEqual(['cost_and_usage_data_status', 'kubecost_cur']);
    expect(bucket?.notification).toMatchObject({
      LambdaFunctionConfigurations: [
        { Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'cur/kubecost_cur/kubecost_cur' }] } } },
      ],
    });
    expect(bucket?.notification.EventBridgeConfiguration).toBeUndefined();
  });

  it('crawls again after each delivery', async () => {
    const world = worldWithTemplate();
    await create(world);
    await world.clock.sleep(24 * 60 * minute * 22);
    const table = world.glue
      .catalog(payer, region)
      .databases.get('athenacurcfn_kubecost_cur')
      ?.tables.get('kubecost_cur');
    expect([...(table?.partitions.keys() ?? [])].sort()).toEqual(['2026/10', '2026/11', '2026/12']);
  });

  it('leaves nothing after deletion and is still found by id', async () => {
    const world = worldWithTemplate();
    const { StackId } = await create(world);
    await world.clock.sleep(8 * minute);
    await ask(world, cloudformationService, 'DeleteStack', { StackName: 'kubecost-crawler' });
    await world.clock.sleep(4 * minute);
    await expect(describeStack(world)).rejects.toMatchObject({
      code: 'ValidationError',
      message: 'Stack with id kubecost-crawler does not exist',
    });
    expect((await describeStack(world, StackId))?.StackStatus).toBe('DELETE_COMPLETE');
    const { databases, crawlers } = world.glue.catalog(payer, region);
    expect([databases.size, crawlers.size, world.cloudformation.functions.size]).toEqual([0, 0, 0]);
    expect(world.s3.buckets.get('reports')?.notification).toEqual({});
  });

  it('cannot be deleted after its bucket', async () => {
    const world = worldWithTemplate();
    await create(world);
    await world.clock.sleep(8 * minute);
    world.s3.buckets.delete('reports');
    await ask(world, cloudformationService, 'DeleteStack', { StackName: 'kubecost-crawler' });
    await world.clock.sleep(4 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('DELETE_FAILED');
  });
});

describe('A stack without functions', () => {
  it('has a crawler that starts on its schedule', async () => {
    const world = worldWithTemplate();
    const policy = { Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::reports/*' }] };
    const Resources = {
      Database: { Type: 'AWS::Glue::Database', Properties: { DatabaseInput: { Name: 'bill' } } },
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: trust('glue.amazonaws.com'),
          Policies: [{ PolicyName: 'read', PolicyDocument: policy }],
        },
      },
      Crawler: {
        Type: 'AWS::Glue::Crawler',
        Properties: {
          Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
          DatabaseName: { Ref: 'Database' },
          Schedule: { ScheduleExpression: 'cron(15 10 * * ? *)' },
          Targets: { S3Targets: [{ Path: 's3://reports/cur/kubecost_cur/kubecost_cur', Exclusions: ['**.json'] }] },
        },
      },
    };
    await create(world, { TemplateBody: JSON.stringify({ Resources }) });
    await world.clock.sleep(5 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('CREATE_COMPLETE');
    await world.clock.sleep(3 * 60 * minute);
    const { databases } = world.glue.catalog(payer, region);
    expect([...(databases.get('bill')?.tables.keys() ?? [])]).toEqual(['kubecost_cur']);
  });
});

describe('A stack that fails', () => {
  it('names the runtime that Lambda no longer accepts and rolls back', async () => {
    const world = worldWithTemplate('nodejs16.x');
    await create(world);
    await world.clock.sleep(6 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('ROLLBACK_COMPLETE');
    expect(await rootCause(world)).toMatchObject({
      LogicalResourceId: 'AWSCURInitializer',
      ResourceStatusReason: expect.stringContaining(
        'The runtime parameter of nodejs16.x is no longer supported for creating or updating AWS Lambda functions',
      ) as string,
    });
    expect(world.glue.catalog(payer, region).databases.size).toBe(0);
    await expect(create(world)).rejects.toMatchObject({ code: 'AlreadyExistsException' });
  });

  it('fails when a database of its name exists', async () => {
    const world = worldWithTemplate();
    world.glue.seedTable({
      accountId: payer,
      region,
      database: 'athenacurcfn_kubecost_cur',
      location: 's3://reports/cur/kubecost_cur/kubecost_cur/',
    });
    await create(world);
    await world.clock.sleep(6 * minute);
    expect(await rootCause(world)).toMatchObject({
      LogicalResourceId: 'AWSCURDatabase',
      ResourceStatusReason: expect.stringMatching(/already exists.*AlreadyExistsException/) as string,
    });
    const { databases } = world.glue.catalog(payer, region);
    expect(databases.get('athenacurcfn_kubecost_cur')?.tables.has('kubecost_cur')).toBe(true);
  });

  it('fails when the account cannot reserve its executions', async () => {
    const world = worldWithTemplate();
    world.lambda.setConcurrency(payer, region, 10);
    await create(world);
    await world.clock.sleep(8 * minute);
    expect(await rootCause(world)).toMatchObject({
      LogicalResourceId: 'AWSCURInitializer',
      ResourceStatusReason: expect.stringContaining('below its minimum value of [10]') as string,
    });
    world.lambda.setConcurrency(payer, region, 102);
    await create(world, { StackName: 'second' });
    await world.clock.sleep(8 * minute);
    expect((await describeStack(world, 'second'))?.StackStatus).toBe('CREATE_COMPLETE');
    expect(world.lambda.concurrency(payer, region).unreserved).toBe(100);
    await ask(world, cloudformationService, 'DeleteStack', { StackName: 'second' });
    await world.clock.sleep(8 * minute);
    expect(world.lambda.concurrency(payer, region).unreserved).toBe(102);
  });

  it('names Lake Formation when it manages the catalog', async () => {
    const world = worldWithTemplate();
    world.lakeformation.lock(payer, region);
    await create(world);
    await world.clock.sleep(6 * minute);
    expect(await rootCause(world)).toMatchObject({
      LogicalResourceId: 'AWSCURDatabase',
      ResourceStatusReason: expect.stringMatching(
        /^Insufficient Lake Formation permission\(s\): Required Create Database on Catalog \(Service: AWSGlue; Status Code: 400; Error Code: AccessDeniedException/,
      ) as string,
    });
  });

  it("fails with its creator's missing right", async () => {
    const world = worldWithTemplate();
    const caller = sessionOf(world, 'provisioner', [['glue:*', 'iam:*', 'lambda:InvokeFunction', 's3:*'], '*']);
    const input = {
      StackName: 'kubecost-crawler',
      TemplateBody: world.s3.text('reports', 'cur/kubecost_cur/crawler-cfn.yml'),
      Capabilities: ['CAPABILITY_IAM'],
    };
    await ask(world, cloudformationService, 'CreateStack', input, { caller });
    await world.clock.sleep(8 * minute);
    expect(await rootCause(world)).toMatchObject({
      LogicalResourceId: 'AWSCURInitializer',
      ResourceStatusReason: expect.stringContaining('is not authorized to perform: lambda:CreateFunction') as string,
    });
    expect(await describeStack(world)).toMatchObject({ StackStatus: 'ROLLBACK_COMPLETE' });
    expect(world.iam.roles(payer).map(({ name }) => name)).toEqual(['provisioner']);
  });

  it('waits for a crawler that already runs until its timeout', async () => {
    const world = worldWithTemplate();
    const TemplateBody = world.s3
      .text('reports', 'cur/kubecost_cur/crawler-cfn.yml')
      ?.replace("Name: 'AWSCURCrawler-kubecost_cur' }", "Name: 'busy' }");
    world.glue.catalog(payer, region).crawlers.set('busy', { state: 'RUNNING' } as never);
    await create(world, { TemplateBody });
    await world.clock.sleep(29 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('CREATE_IN_PROGRESS');
    await world.clock.sleep(5 * minute);
    expect(await describeStack(world)).toMatchObject({ StackStatus: 'ROLLBACK_COMPLETE' });
  });

  it('is no longer found by name after OnFailure DELETE', async () => {
    const world = worldWithTemplate('nodejs16.x');
    const { StackId } = await create(world, { OnFailure: 'DELETE' });
    await world.clock.sleep(6 * minute);
    await expect(describeStack(world)).rejects.toMatchObject({ code: 'ValidationError' });
    expect((await rootCause(world, StackId))?.LogicalResourceId).toBe('AWSCURInitializer');
  });
});

describe('CreateStack', () => {
  it('needs a capability for a template with roles', async () => {
    const world = worldWithTemplate();
    await expect(create(world, { Capabilities: [] })).rejects.toMatchObject({
      code: 'InsufficientCapabilitiesException',
    });
  });

  it('treats a repeated token as the same request', async () => {
    const world = worldWithTemplate();
    const first = await create(world, { ClientRequestToken: 'run-1' });
    expect(await create(world, { ClientRequestToken: 'run-1' })).toEqual(first);
    await expect(create(world, { ClientRequestToken: 'run-2' })).rejects.toMatchObject({
      code: 'AlreadyExistsException',
    });
  });

  it('refuses an unreadable template', async () => {
    const world = worldWithTemplate();
    for (const TemplateBody of ['', 'Resources: {}', 'Resources: [', '{"Resources":{"A":{}}}', 'x'.repeat(51_201)])
      await expect(create(world, { TemplateBody })).rejects.toMatchObject({ code: 'ValidationError' });
  });
});

describe('The properties of a resource', () => {
  it('are those of CloudFormation’s specification', async () => {
    const spec = loadAwsServiceSpecSync();
    const namesOf = (properties: Record<string, { type: SpecType }>): PropertyNames =>
      Object.fromEntries(
        Object.keys(properties)
          .sort()
          .map((name) => [name, namesOfType(properties[name]?.type)]),
      );
    const namesOfType = (type?: SpecType): PropertyNames => {
      if (type?.element) return type.type === 'map' ? {} : namesOfType(type.element);
      return type?.reference ? namesOf(spec.get('typeDefinition', type.reference.$ref).properties) : {};
    };
    const types = ['AWS::Glue::Crawler', 'AWS::Glue::Database', 'AWS::Glue::Table', 'AWS::IAM::Role'];
    const all = [...types, 'AWS::Lambda::Function', 'AWS::Lambda::Permission'].map((type) => {
      const [resource] = spec.lookup('resource', 'cloudFormationType', 'equals', type);
      return [type, namesOf(resource?.properties ?? {})] as const;
    });
    await expect(`${JSON.stringify(Object.fromEntries(all), null, 2)}\n`).toMatchFileSnapshot('property-names.json');
  });

  it.each([
    ['Memory: 512', '#: extraneous key [Memory] is not permitted'],
    ['LoggingConfig: {Level: INFO}', '#/LoggingConfig: extraneous key [Level] is not permitted'],
  ])('are refused if CloudFormation does not know them: %s', async (property, reason) => {
    const world = worldWithTemplate();
    await create(world, { TemplateBody: edited(world, 'Timeout: 30', `Timeout: 30\n      ${property}`) });
    await world.clock.sleep(8 * minute);
    expect((await rootCause(world))?.ResourceStatusReason).toContain(reason);
  });

  it('are accepted with values from parameters, conditions and mappings', async () => {
    const world = worldWithTemplate();
    const sections = `Parameters:
  Memory: {Type: Number, Default: 256}
Mappings:
  Logs: {Format: {usual: JSON}}
Conditions:
  Here: !Equals [!Ref AWS::Region, ${region}]
  Elsewhere: !Not [!Condition Here]
Outputs:
  Database: {Value: !Ref AWSCURDatabase}
Resources:
  Nowhere:
    Type: 'AWS::IAM::Role'
    Condition: Elsewhere
    Properties: {AssumeRolePolicyDocument: {}}
`;
    const properties = `Timeout: 30
      MemorySize: !If [Here, !Ref Memory, !Ref AWS::NoValue]
      LoggingConfig: {LogFormat: !FindInMap [Logs, Format, usual]}
      Description: !Join [' ', [Crawler of, !Sub '\${AWS::Region}', !Ref AWSCURDatabase]]`;
    const TemplateBody = edited(world, 'Resources:\n', sections).replace('Timeout: 30', properties);
    await create(world, { TemplateBody });
    await world.clock.sleep(8 * minute);
    const stack = world.cloudformation.find(payer, region, 'kubecost-crawler');
    expect(stack?.status).toBe('CREATE_COMPLETE');
    expect(stack?.resources.has('Nowhere')).toBe(false);
    expect(stack?.resources.get('AWSCURInitializer')?.properties).toMatchObject({
      MemorySize: 256,
      LoggingConfig: { LogFormat: 'JSON' },
      Description: `Crawler of ${region} athenacurcfn_kubecost_cur`,
    });
  });

  it.each([
    ['Extra: {}\nResources:\n', 'Invalid template property or properties [Extra]'],
    ['Parameters:\n  Size: {Type: Number}\nResources:\n', 'Parameters: [Size] must have values'],
    ['Resources:\n  A:\n    Type: AWS::IAM::Role\n    Extra: 1\n', "Invalid template resource property 'Extra'"],
    ['Transform: Macro\nResources:\n', 'Requires capabilities : [CAPABILITY_AUTO_EXPAND]'],
  ])('are not read in a template that is refused: %j', async (sections, message) => {
    const world = worldWithTemplate();
    await expect(create(world, { TemplateBody: edited(world, 'Resources:\n', sections) })).rejects.toMatchObject({
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('A planted failure', () => {
  it.each(Object.entries(lambdaRefusals))('of %s fails the stack', async (_, error) => {
    const world = worldWithTemplate();
    const planted = { accountId: payer, type: 'AWS::Lambda::Function', during: 'create', error } as const;
    world.cloudformation.plantedFailures.push(planted);
    await create(world);
    await world.clock.sleep(8 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('ROLLBACK_COMPLETE');
    expect((await rootCause(world))?.ResourceStatusReason).toContain(error.message);
  });

  it('lets a silent custom resource wait until the stack’s timeout', async () => {
    const world = worldWithTemplate();
    const planted = { accountId: payer, type: 'Custom::', during: 'create', error: 'silence' } as const;
    world.cloudformation.plantedFailures.push(planted);
    await create(world);
    await world.clock.sleep(29 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('CREATE_IN_PROGRESS');
    await world.clock.sleep(5 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('ROLLBACK_COMPLETE');
  });

  it('lets a deletion hang for an hour and then fail', async () => {
    const world = worldWithTemplate();
    await create(world);
    await world.clock.sleep(8 * minute);
    const planted = { accountId: payer, type: 'Custom::', during: 'delete', error: 'silence' } as const;
    world.cloudformation.plantedFailures.push(planted);
    await ask(world, cloudformationService, 'DeleteStack', { StackName: 'kubecost-crawler' });
    await world.clock.sleep(59 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('DELETE_IN_PROGRESS');
    await world.clock.sleep(5 * minute);
    expect((await describeStack(world))?.StackStatus).toBe('DELETE_FAILED');
  });

  it('keeps a resource that the template retains', async () => {
    const world = worldWithTemplate();
    const retained = `AWSCURDatabase:\n    DeletionPolicy: Retain\n`;
    await create(world, { TemplateBody: edited(world, 'AWSCURDatabase:\n', retained) });
    await world.clock.sleep(8 * minute);
    await ask(world, cloudformationService, 'DeleteStack', { StackName: 'kubecost-crawler' });
    await world.clock.sleep(4 * minute);
    const { databases, crawlers } = world.glue.catalog(payer, region);
    expect([[...databases.keys()], crawlers.size]).toEqual([['athenacurcfn_kubecost_cur'], 0]);
  });
});
