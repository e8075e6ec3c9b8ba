import * as sdk from '@aws-sdk/client-eks';
import type { Service } from '../../service.ts';
import { accessEntryOperations } from './access-entries.ts';
import { accessPolicyOperations } from './access-policies.ts';
import { clusterOperations } from './clusters.ts';
import { podIdentityOperations } from './pod-identity.ts';
import { tagOperations } from './tags.ts';

export const eksService: Service = {
  signingName: 'eks',
  sdk,
  operations: {
    ...clusterOperations,
    ...accessEntryOperations,
    ...accessPolicyOperations,
    ...podIdentityOperations,
    ...tagOperations,
  },
};
