import { randomUUID } from 'node:crypto';
import { AwsError, type CallContext, type Permission, type Service } from '../../service.ts';

/** Calls another service with the permissions of a caller: a stack's creator, a function's role. */
export async function callAs(cx: CallContext, service: Service, name: string, input: object): Promise<unknown> {
  const target = service.operations[name];
  if (!target) throw new Error(`The sandbox has no ${service.signingName}:${name}`);
  for (const permission of target.permissions(input as never, cx)) demand(cx, permission);
  return await target.run(input as never, { ...cx, now: cx.world.clock.now() });
}

/** Checks a permission that no operation of the sandbox checks, such as lambda:InvokeFunction. */
export function demand({ world, caller, region }: CallContext, permission: Permission): void {
  const context = { 'aws:RequestedRegion': region, ...permission.context };
  const { allowed, message } = world.iam.evaluate(caller, { ...permission, context });
  if (!allowed) throw new AwsError('AccessDenied', message, 403);
}

/** CloudFormation's status reason for a failed resource. Glue's messages have the format of an older client. */
export function failureReason(error: unknown, type: string): string {
  if (!(error instanceof AwsError)) throw error;
  const service = type.split('::')[1] ?? '';
  if (service === 'Glue')
    return `${error.message} (Service: AWSGlue; Status Code: ${error.status ?? 400}; Error Code: ${error.code}; Request ID: ${randomUUID()}; Proxy: null)`;
  if (type.startsWith('Custom::')) return error.message;
  return `Resource handler returned message: "${error.message} (Service: ${service}, Status Code: ${error.status ?? 400}, Request ID: ${randomUUID()})" (RequestToken: ${randomUUID()}, HandlerErrorCode: ${handlerErrorCode(error)})`;
}

function handlerErrorCode({ code }: AwsError): string {
  if (code.startsWith('AccessDenied')) return 'AccessDenied';
  return code.includes('AlreadyExists') ? 'AlreadyExists' : 'InvalidRequest';
}
