import * as sdk from '@aws-sdk/client-iam';
import type { Service } from '../service.ts';
import { oidcOperations } from './iam-oidc.ts';
import { managedPolicyOperations } from './iam-policies.ts';
import { rolePolicyOperations } from './iam-role-policies.ts';
import { roleOperations } from './iam-roles.ts';

export const iamService: Service = {
  signingName: 'iam',
  sdk,
  operations: { ...roleOperations, ...rolePolicyOperations, ...managedPolicyOperations, ...oidcOperations },
};
