import { AwsError, type CallContext, type Operation, operation } from '../../service.ts';
import type { Role } from './state.ts';
import { resourceTagContext } from './tags.ts';

export interface RoleRequest {
  RoleName: string | undefined;
}

type Context = Record<string, string | readonly string[]>;

/** An operation on an existing role, guarded by one action on the role's ARN. */
export function onRole<Input extends RoleRequest>(
  access: 'read' | 'write',
  action: string,
  run: (role: Role, input: Input, cx: CallContext) => object,
  context: (input: Input) => Context = () => ({}),
): Operation {
  return operation<Input, object>({
    writes: access === 'write',
    permissions(input, cx) {
      const role = cx.world.iam.role(cx.caller.accountId, input.RoleName ?? '');
      const resource = role?.arn ?? roleArn(cx, input.RoleName);
      return [{ action, resources: [resource], context: { ...resourceTagContext(role?.tags), ...context(input) } }];
    },
    run: (input, cx) => run(existingRole(input, cx), input, cx),
  });
}

export function roleArn({ caller }: CallContext, name = '', path = '/'): string {
  return `arn:aws:iam::${caller.accountId}:role${path}${name}`;
}

function existingRole({ RoleName = '' }: RoleRequest, { world, caller }: CallContext): Role {
  const role = world.iam.role(caller.accountId, RoleName);
  if (!role) throw new AwsError('NoSuchEntityException', `The role with name ${RoleName} cannot be found.`);
  return role;
}
