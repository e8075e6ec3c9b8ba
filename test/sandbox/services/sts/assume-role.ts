import type * as sdk from '@aws-sdk/client-sts';
import type { RequestContext } from '../../policy-evaluation.ts';
import { AwsError, type CallContext, operation } from '../../service.ts';
import { principalContext } from '../iam/state.ts';
import { addTags, requestTagContext } from '../iam/tags.ts';
import { trusted } from '../iam/trust.ts';
import {
  checkDuration,
  checkPattern,
  checkSessionRequest,
  packedSize,
  sessionAnswer,
  sessionPolicyOf,
} from './session-request.ts';

export const assumeRole = operation<sdk.AssumeRoleCommandInput, object>({
  writes: false,
  // `authorize` evaluates the trust policy and the caller's policies together.
  permissions: () => [],
  run(input, cx) {
    checkSessionRequest(input);
    const { RoleArn = '', RoleSessionName = '', ExternalId, DurationSeconds } = input;
    if (ExternalId !== undefined)
      checkPattern('externalId', ExternalId, /^[\w+=,.@:/-]{2,1224}$/, '[\\w+=,.@:\\/-]{2,1224}');
    const { iam, sts } = cx.world;
    const { inherited, transitive } = transitiveTags(input, cx);
    const sessionPolicy = sessionPolicyOf(input, iam);
    const asked = Object.fromEntries((input.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
    const PackedPolicySize = packedSize(sessionPolicy, { ...inherited, ...asked });
    const role = authorize(input, inherited, cx);
    checkDuration(role, cx.caller, DurationSeconds);
    const session = sts.open(role, {
      sessionName: RoleSessionName,
      sessionTags: { ...inherited, ...transitive },
      ...(sessionPolicy !== undefined && { sessionPolicy }),
      ...(DurationSeconds !== undefined && { durationSeconds: DurationSeconds }),
    });
    return {
      ...sessionAnswer(session, role, RoleSessionName),
      ...(PackedPolicySize > 0 && { PackedPolicySize }),
      ...(input.SourceIdentity !== undefined && { SourceIdentity: input.SourceIdentity }),
    };

    /** The role must trust every action of the call; unless it names the caller, the caller's policies must allow it too. */
    function authorize(
      { Tags = [], SourceIdentity }: typeof input,
      tags: Record<string, string>,
      { caller }: CallContext,
    ) {
      const found = iam.effectiveRoleByArn(RoleArn);
      const trust = found && iam.effectiveTrust(found);
      const tagged = Tags.length > 0 || Object.keys(tags).length > 0;
      const actions = [
        'sts:AssumeRole',
        ...(tagged ? ['sts:TagSession'] : []),
        ...(SourceIdentity === undefined ? [] : ['sts:SetSourceIdentity']),
      ];
      const context = requestContext(input, tags);
      const callerRole = caller.roleArn === undefined ? undefined : iam.effectiveRoleByArn(caller.roleArn);
      const whole = { ...principalContext(caller, callerRole), ...context };
      for (const action of actions) {
        const trusts = trust ? trusted(trust, { caller }, { action, resource: RoleArn, context: whole }) : 'no';
        const own = iam.evaluate(caller, { action, resources: [RoleArn], context });
        const named =
          trusts === 'named' &&
          found?.accountId === caller.accountId &&
          !own.explicit &&
          caller.sessionPolicy === undefined;
        if (trusts === 'no' || trusts === 'explicit-deny' || !(own.allowed || named))
          throw notAuthorized(action, cx, RoleArn);
      }
      if (!found) throw notAuthorized('sts:AssumeRole', cx, RoleArn);
      return found;
    }
  },
});

/** AWS answers the same for a missing role and a role that does not trust the caller. */
function notAuthorized(action: string, { caller }: CallContext, roleArn: string): AwsError {
  return new AwsError(
    'AccessDenied',
    `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${roleArn}`,
    403,
  );
}

function requestContext(
  input: sdk.AssumeRoleCommandInput,
  inherited: Record<string, string>,
): Record<string, string | string[]> {
  const { ExternalId, RoleSessionName = '', SourceIdentity, TransitiveTagKeys } = input;
  const inheritedTags = Object.entries(inherited).map(([Key, Value]) => ({ Key, Value }));
  return {
    ...requestTagContext([...inheritedTags, ...(input.Tags ?? [])]),
    'sts:RoleSessionName': RoleSessionName,
    ...(ExternalId !== undefined && { 'sts:ExternalId': ExternalId }),
    ...(SourceIdentity !== undefined && { 'sts:SourceIdentity': SourceIdentity }),
    ...(TransitiveTagKeys && { 'sts:TransitiveTagKeys': TransitiveTagKeys }),
  } satisfies RequestContext;
}

/** Transitive tags apply to the next session of a chain, which cannot set them again. */
function transitiveTags({ Tags = [], TransitiveTagKeys = [] }: sdk.AssumeRoleCommandInput, { caller }: CallContext) {
  addTags(new Map(), Tags);
  const inherited = caller.sessionTags ?? {};
  const clash = Tags.find(({ Key = '' }) => Key in inherited);
  if (clash)
    throw new AwsError(
      'InvalidParameterValue',
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    );
  const transitive = Tags.filter(({ Key = '' }) => TransitiveTagKeys.includes(Key));
  return { inherited, transitive: Object.fromEntries(transitive.map(({ Key = '', Value = '' }) => [Key, Value])) };
}
