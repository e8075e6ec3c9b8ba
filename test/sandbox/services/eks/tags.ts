import type * as sdk from '@aws-sdk/client-eks';
import { AwsError, type CallContext, operation } from '../../service.ts';

type Tags = Record<string, string>;

/** Adds or replaces tags within EKS's limits. */
export function addTags(tags: Tags, added: Tags = {}): Tags {
  for (const [key, value] of Object.entries(added))
    if (!key || key.length > 128 || value.length > 256 || /^aws:/i.test(key))
      throw new AwsError('InvalidParameterException', `Tag ${key} is invalid`);
  if (new Set([...Object.keys(tags), ...Object.keys(added)]).size > 50)
    throw new AwsError('InvalidParameterException', 'A resource can have at most 50 tags');
  return Object.assign(tags, added);
}

/** Condition keys that describe the tags in a request. */
export function requestTagContext(added: Tags = {}): Record<string, string | string[]> {
  const keys = Object.keys(added);
  return {
    ...Object.fromEntries(Object.entries(added).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
    ...(keys.length > 0 && { 'aws:TagKeys': keys }),
  };
}

/** Condition keys that describe the tags of the requested resource. */
export function resourceTagContext(tags: Tags = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:ResourceTag/${key}`, value]));
}

function tagged({ world, caller, region }: CallContext, arn: string): { tags: Tags } | undefined {
  const resources = world.eks
    .clusters(caller.accountId, region)
    .flatMap((cluster) => [
      cluster,
      ...cluster.addons.values(),
      ...cluster.accessEntries.values(),
      ...cluster.associations.values(),
    ]);
  return resources.find((resource) => resource.arn === arn);
}

function tagsOf(cx: CallContext, arn = ''): Tags {
  const resource = tagged(cx, arn);
  // Only here EKS has its own names for these errors.
  if (!resource) throw new AwsError('NotFoundException', `Resource not found: ${arn}`);
  return resource.tags;
}

function permission(cx: CallContext, action: string, resourceArn = '', added?: Tags) {
  const context = { ...resourceTagContext(tagged(cx, resourceArn)?.tags), ...requestTagContext(added) };
  return [{ action: `eks:${action}`, resources: [resourceArn], context }];
}

export const tagOperations = {
  TagResource: operation<sdk.TagResourceCommandInput, object>({
    writes: true,
    permissions: ({ resourceArn, tags }, cx) => permission(cx, 'TagResource', resourceArn, tags),
    run({ resourceArn, tags }, cx) {
      addTags(tagsOf(cx, resourceArn), tags);
      return {};
    },
  }),

  UntagResource: operation<sdk.UntagResourceCommandInput, object>({
    writes: true,
    permissions: ({ resourceArn }, cx) => permission(cx, 'UntagResource', resourceArn),
    run({ resourceArn, tagKeys = [] }, cx) {
      const tags = tagsOf(cx, resourceArn);
      for (const key of tagKeys) Reflect.deleteProperty(tags, key);
      return {};
    },
  }),

  ListTagsForResource: operation<sdk.ListTagsForResourceCommandInput, sdk.ListTagsForResourceResponse>({
    writes: false,
    permissions: ({ resourceArn }, cx) => permission(cx, 'ListTagsForResource', resourceArn),
    run: ({ resourceArn }, cx) => ({ tags: tagsOf(cx, resourceArn) }),
  }),
};
