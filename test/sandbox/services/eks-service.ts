import * as sdk from '@aws-sdk/client-eks';
import type { Service } from '../service.ts';
import { accessEntryOperations } from './eks-access-entries.ts';
import { accessPolicyOperations } from './eks-access-policies.ts';
import { clusterOperations } from './eks-clusters.ts';
import { podIdentityOperations } from './eks-pod-identity.ts';
import { tagOperations } from './eks-tags.ts';

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
