import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { staleFiles } from '../../functions/deployment/generated-files.ts';
import { parameters, vpcProblem } from '../../functions/deployment/parameters.ts';
import { deployedFunctions } from '../../functions/deployment/registry.ts';
import { errorCatalogue } from '../../shared/errors/catalogue.ts';
import { detailTypes, eventSource } from '../../shared/model/run-event.ts';
import { exampleEvent } from '../../shared/model/run-event-example.ts';
import { httpRoutes, readServerlessFile, resourceOf } from '../support/serverless-file.ts';

const file = readServerlessFile();

describe('serverless.yml', () => {
  it('deploys functions whose source files exist', () => {
    const missing = deployedFunctions.filter(({ entry }) => !existsSync(entry));
    expect(missing.map(({ entry }) => entry)).toEqual([]);
  });

  it('requires a signature on every route but /health', () => {
    const open = httpRoutes(file).filter(({ signed }) => !signed);
    expect(open.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /health']);
  });

  it('runs functions in the VPC that call a cluster’s API', () => {
    const inVpc = file.resources.flatMap(({ extensions = {} }) => Object.keys(extensions));
    expect(inVpc).toContain('PreflightLambdaFunction');
    expect(inVpc).toContain('PublishLambdaFunction');
    expect(inVpc).not.toContain('CurReportLambdaFunction');
    expect(inVpc).not.toContain('GetRunLambdaFunction');
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

  it('has exactly the parameters of deploy --help', () => {
    expect(Object.keys(file.params.default).sort()).toEqual(Object.keys(parameters).sort());
  });
});

describe('the mail of a failed run', () => {
  const { EventPattern, Targets } = resourceOf(file, 'FailureRule') as unknown as {
    EventPattern: { source: string[]; 'detail-type': string[]; detail: { status: string[] } };
    Targets: [{ InputTransformer: { InputPathsMap: Record<string, string>; InputTemplate: string } }];
  };
  const { InputPathsMap, InputTemplate } = Targets[0].InputTransformer;

  it('is sent for the event of a failed run', () => {
    expect(EventPattern).toEqual({
      source: [eventSource],
      'detail-type': [detailTypes.run],
      detail: { status: [exampleEvent.status] },
    });
  });

  it('may be published by EventBridge without a condition', () => {
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

  it('uses only fields of its event', () => {
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

  it('is quoted text without quotes inside', () => {
    for (const line of InputTemplate.split('\n')) expect(JSON.parse(line)).toEqual(expect.any(String));
    expect(Object.values(errorCatalogue).filter((advice) => Object.values(advice).join(' ').includes('"'))).toEqual([]);
  });
});

describe('generated files', () => {
  it('equal the output of the generator', async () => {
    expect(await staleFiles()).toEqual([]);
  });
});
