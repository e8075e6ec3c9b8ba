import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parameters, vpcProblem } from '../../.ci/deploy.ts';
import { deployedFunctions } from '../../.ci/functions.ts';
import { staleFiles } from '../../.ci/generate.ts';
import { errorCatalogue } from '../../shared/errors/catalogue.ts';
import { detailTypes, eventSource } from '../../shared/model/run-event.ts';
import { exampleEvent } from '../../shared/model/run-event-example.ts';
import { httpRoutes, readServerlessFile, resourceOf } from '../support/serverless-file.ts';

const file = readServerlessFile();

describe('serverless.yml', () => {
  it('deploys every function the code has, and no other', () => {
    expect(Object.keys(file.functions).sort()).toEqual(deployedFunctions.map(({ key }) => key).sort());
  });

  it('takes each function from its own bundle, which has a source', () => {
    for (const { key, entry } of deployedFunctions) {
      expect(file.functions[key]?.handler).toBe(`dist/${key}/index.handler`);
      expect(existsSync(entry), entry).toBe(true);
    }
  });

  it('asks for a signature on every route but /health', () => {
    const open = httpRoutes(file).filter(({ signed }) => !signed);
    expect(open.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /health']);
  });

  it('puts into the VPC, if there is one, exactly the functions that talk to a cluster’s own API', () => {
    const extended = file.resources.flatMap(({ extensions = {} }) => Object.entries(extensions));
    const inVpc = extended
      .filter(([, { Properties }]) => 'VpcConfig' in Properties)
      .map(([logicalId]) => logicalId.replace(/LambdaFunction$/, '').toLowerCase());
    const reaching = deployedFunctions
      .filter(({ reachesCluster }) => reachesCluster)
      .map(({ key }) => key.toLowerCase());
    expect(inVpc.sort()).toEqual(reaching.sort());
    for (const [, { Properties }] of extended)
      expect(Properties.VpcConfig).toMatchObject({ 'Fn::If': ['InVpc', {}, { Ref: 'AWS::NoValue' }] });
  });

  it.each([
    [['--stage', 'prod'], undefined],
    [['--param', 'vpcSubnetIds=subnet-a,subnet-b', '--param=vpcSecurityGroupIds=sg-a'], undefined],
    [['--param', 'vpcSubnetIds=subnet-a'], 'set both vpcSubnetIds and vpcSecurityGroupIds'],
    [['--param', 'vpcSubnetIds=subnet-a, subnet-b', '--param', 'vpcSecurityGroupIds=sg-a'], 'remove the spaces'],
  ])('is not deployed with half a VPC: %j', (args, problem) => {
    if (problem === undefined) expect(vpcProblem(args)).toBeUndefined();
    else expect(vpcProblem(args)).toContain(problem);
  });

  it('has the parameters that deploy --help explains', () => {
    expect(Object.keys(file.params.default).sort()).toEqual(Object.keys(parameters).sort());
  });
});

describe('the mail of a failed run', () => {
  const { EventPattern, Targets } = resourceOf(file, 'FailureRule') as unknown as {
    EventPattern: { source: string[]; 'detail-type': string[]; detail: { status: string[] } };
    Targets: [{ InputTransformer: { InputPathsMap: Record<string, string>; InputTemplate: string } }];
  };
  const { InputPathsMap, InputTemplate } = Targets[0].InputTransformer;

  it('is sent for what the code tells of failed runs', () => {
    expect(EventPattern).toEqual({
      source: [eventSource],
      'detail-type': [detailTypes.run],
      detail: { status: [exampleEvent.status] },
    });
  });

  it('may be published by EventBridge, which gives SNS nothing that a condition could ask for', () => {
    const { PolicyDocument } = resourceOf(file, 'FailureTopicPolicy') as { PolicyDocument?: unknown };
    expect(PolicyDocument).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Service: 'events.amazonaws.com' },
          Action: 'sns:Publish',
          Resource: { Ref: 'FailureTopic' },
        },
      ],
    });
  });

  it('is made of fields that its event has', () => {
    const named = [...InputTemplate.matchAll(/<(\w+)>/g)].map(([, name = '']) => name);
    expect(named.toSorted()).toEqual(Object.keys(InputPathsMap).sort());
    for (const path of Object.values(InputPathsMap)) {
      const found = path
        .replace('$.detail.', '')
        .split('.')
        .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], exampleEvent);
      expect(found, path).toEqual(expect.any(String));
    }
  });

  it('is a quoted text, which no advice may end', () => {
    for (const line of InputTemplate.split('\n')) expect(JSON.parse(line)).toEqual(expect.any(String));
    expect(Object.values(errorCatalogue).filter((advice) => Object.values(advice).join(' ').includes('"'))).toEqual([]);
  });
});

describe('generated files', () => {
  it('are what the code says', async () => {
    expect(await staleFiles()).toEqual([]);
  });
});
