import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../shared/platform/settings.ts';

const environment = {
  TABLE_NAME: 'runs',
  DEPLOYMENT_ID: 'test',
  PROVISIONER_PATH: '/path/',
  PAYER_PROVISIONER_NAME: 'payer',
  CLUSTER_PROVISIONER_NAME: 'cluster',
  ALLOWED_HOST_SUFFIXES: '.eks.amazonaws.com, .other',
  ALLOWED_NAMESPACES: 'kubecost',
  EVENT_BUS_NAME: 'bus',
  VPC_SUBNET_IDS: '',
};

describe('the settings', () => {
  it('are parsed once while the environment stays the same', () => {
    const settings = readSettings(environment);
    expect(readSettings({ ...environment, PATH: '/usr/bin' })).toBe(settings);
    expect(readSettings({ ...environment, TABLE_NAME: 'others' }).tableName).toBe('others');
    expect(readSettings(environment).tableName).toBe('runs');
  });

  it('contain lists, names and whether the functions run in a VPC', () => {
    const settings = readSettings(environment);
    expect(settings).toMatchObject({ allowedHostSuffixes: ['.eks.amazonaws.com', '.other'], inVpc: false });
    expect(settings.payerProvisionerArn('111122223333')).toBe('arn:aws:iam::111122223333:role/path/payer');
    expect(settings.externalId('111122223333')).toBe('test/111122223333');
    expect(readSettings({ ...environment, VPC_SUBNET_IDS: 'subnet-1' }).inVpc).toBe(true);
  });

  it('name a missing variable in the error', () => {
    expect(() => readSettings({ ...environment, TABLE_NAME: undefined })).toThrow(/TABLE_NAME/);
  });
});
