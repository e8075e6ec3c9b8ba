import { randomUUID } from 'node:crypto';
import { AwsError, type CallContext, type Service } from '../service.ts';

/** Calls another service with somebody's own rights, as a stack does with its creator's and a function with its role's. */
export async function callAs(cx: CallContext, service: Service, name: string, input: object): Promise<unknown> {
  const target = service.operations[name];
  if (!target) throw new Error(`The sandbox has no ${service.signingName}:${name}`);
  for (const permission of target.permissions(input as never, cx))
    for (const resource of permission.resources)
      if (!cx.world.iam.evaluate(cx.caller, { ...permission, resources: [resource] }).allowed)
        throw denied(cx, permission.action, resource);
  return await target.run(input as never, { ...cx, now: cx.world.clock.now() });
}

/** A right that no API call of this sandbox stands for, such as lambda:InvokeFunction. */
export function demand(cx: CallContext, action: string, resource: string, context: Record<string, string> = {}): void {
  if (!cx.world.iam.evaluate(cx.caller, { action, resources: [resource], context }).allowed)
    throw denied(cx, action, resource);
}

function denied({ caller }: CallContext, action: string, resource: string): AwsError {
  return new AwsError(
    'AccessDenied',
    `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`,
    403,
  );
}

/** The reason CloudFormation writes beside a failed resource. Glue's words come through an older client than the others'. */
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
