import * as sdk from '@aws-sdk/client-iam';
import type { Service } from '../../service.ts';
import { managedPolicyOperations } from './managed-policies.ts';
import { oidcOperations } from './oidc-providers.ts';
import { rolePolicyOperations } from './role-policies.ts';
import { roleOperations } from './roles.ts';

export const iamService: Service = {
  signingName: 'iam',
  sdk,
  operations: { ...roleOperations, ...rolePolicyOperations, ...managedPolicyOperations, ...oidcOperations },
};
