import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parameters, vpcProblem } from '../../.ci/deploy.ts';
import { deployedFunctions } from '../../.ci/functions.ts';
import { staleFiles } from '../../.ci/generate.ts';
import { httpRoutes, readServerlessFile } from '../sandbox/serverless-file.ts';

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
    [['--param', 'vpcSubnetIds=subnet-a'], 'go together'],
    [['--param', 'vpcSubnetIds=subnet-a, subnet-b', '--param', 'vpcSecurityGroupIds=sg-a'], 'no spaces'],
  ])('is not deployed with half a VPC: %j', (args, problem) => {
    if (problem === undefined) expect(vpcProblem(args)).toBeUndefined();
    else expect(vpcProblem(args)).toContain(problem);
  });

  it('has the parameters that deploy --help explains', () => {
    expect(Object.keys(file.params.default).sort()).toEqual(Object.keys(parameters).sort());
  });
});

describe('generated files', () => {
  it('are what the code says', async () => {
    expect(await staleFiles()).toEqual([]);
  });
});
