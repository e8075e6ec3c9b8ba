import * as sdk from '@aws-sdk/client-athena';
import type { Service } from '../../service.ts';
import { executionOperations } from './executions.ts';
import { metadataOperations } from './table-metadata.ts';
import { workgroupOperations } from './workgroups.ts';

export const athenaService: Service = {
  signingName: 'athena',
  sdk,
  operations: { ...workgroupOperations, ...executionOperations, ...metadataOperations },
};
