import * as sdk from '@aws-sdk/client-athena';
import type { Service } from '../service.ts';
import { executionOperations } from './athena-executions.ts';
import { metadataOperations } from './athena-metadata.ts';
import { workgroupOperations } from './athena-workgroups.ts';

export const athenaService: Service = {
  signingName: 'athena',
  sdk,
  operations: { ...workgroupOperations, ...executionOperations, ...metadataOperations },
};
