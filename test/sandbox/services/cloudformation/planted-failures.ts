import { AwsError } from '../../service.ts';

/**
 * A resource that CloudFormation cannot create or delete in an account. `silence`: the custom resource never answers, so the stack waits
 * until the resource's or the stack's timeout.
 */
export interface PlantedFailure {
  accountId: string;
  /** Type of the resource, or its beginning: `Custom::`. */
  type: string;
  during: 'create' | 'delete';
  error: { code: string; message: string } | 'silence';
}

/** The errors with which Lambda refuses the functions of AWS's template in accounts with rules of their own. */
export const lambdaRefusals = {
  'a service control policy': {
    code: 'AccessDeniedException',
    message:
      'User: arn:aws:sts::111122223333:assumed-role/provisioner/session is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:us-east-1:111122223333:function:crawler with an explicit deny in a service control policy',
  },
  'a rule for signed code': {
    code: 'CodeVerificationFailedException',
    message:
      'Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not configured to accept.',
  },
  'a rule for functions in a VPC': {
    code: 'HookFailed',
    message: 'The following hook(s) failed: [Acme::Lambda::MustBeInVpc]',
  },
  'a full account': {
    code: 'CodeStorageExceededException',
    message: 'Code storage limit exceeded.',
  },
} as const;

export function plantedFailure(
  planted: readonly PlantedFailure[],
  { accountId }: { accountId: string },
  { type }: { type: string },
  during: PlantedFailure['during'],
): AwsError | 'silence' | undefined {
  const found = planted.find(
    (one) => one.accountId === accountId && one.during === during && type.startsWith(one.type),
  );
  if (!found) return undefined;
  if (found.error === 'silence') return 'silence';
  return new AwsError(found.error.code, found.error.message, 400);
}
