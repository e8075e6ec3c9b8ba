import { readFileSync } from 'node:fs';
import stateLint from '@wmfs/statelint';
import validateAsl from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { provisionDefinition } from '../../state-machines/provision.ts';
import { readServerlessFile, resourceOf } from '../support/serverless-file.ts';

const deployed = readFileSync('state-machines/provision.asl', 'utf8');
const filled = () =>
  JSON.parse(deployed.replaceAll(/\$\{\w+\}/g, 'arn:aws:lambda:us-east-1:111122223333:function:f')) as object;

describe('the deployed definition', () => {
  it('equals the generated definition', () => {
    expect(JSON.parse(deployed)).toEqual(provisionDefinition());
  });

  it('passes the ASL validator', () => {
    const { isValid, errorsText } = validateAsl(filled());
    expect(isValid, errorsText('\n')).toBe(true);
  });

  it('passes statelint', () => {
    expect(stateLint().validate(filled())).toEqual([]);
  });

  it('keeps the null that discards the outputs of the branches', () => {
    expect(filled()).toHaveProperty('States.prepare.ResultPath', null);
  });

  it('has a substitution for every placeholder and no other', () => {
    const placeholders = new Set([...deployed.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name));
    const machine = resourceOf(readServerlessFile(), 'ProvisionStateMachine');
    expect(new Set(Object.keys(machine.DefinitionSubstitutions as object))).toEqual(placeholders);
  });
});
