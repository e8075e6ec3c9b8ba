import type { GetTagsCommandInput, TagResourceCommandInput, UntagResourceCommandInput } from '@aws-sdk/client-glue';
import { AwsError, type CallContext, operation } from '../../service.ts';

/** Databases and crawlers have tags, tables have none. */
function tagsOf({ world, caller, region }: CallContext, arn = ''): Record<string, string> {
  const catalog = world.glue.catalog(caller.accountId, region);
  const [kind, name = ''] = arn.split(':').slice(5).join(':').split('/');
  const exists = kind === 'database' ? catalog.databases.has(name) : kind === 'crawler' && catalog.crawlers.has(name);
  if (!exists) throw new AwsError('EntityNotFoundException', `Resource ${arn} not found`);
  const tags = catalog.tags.get(arn) ?? {};
  catalog.tags.set(arn, tags);
  return tags;
}

export const tagOperations = {
  GetTags: operation<GetTagsCommandInput, object>({
    writes: false,
    permissions: ({ ResourceArn }) => [{ action: 'glue:GetTags', resources: [ResourceArn ?? ''] }],
    run: ({ ResourceArn }, cx) => ({ Tags: tagsOf(cx, ResourceArn) }),
  }),

  TagResource: operation<TagResourceCommandInput, object>({
    writes: true,
    permissions: ({ ResourceArn }) => [{ action: 'glue:TagResource', resources: [ResourceArn ?? ''] }],
    run({ ResourceArn, TagsToAdd }, cx) {
      Object.assign(tagsOf(cx, ResourceArn), TagsToAdd);
      return {};
    },
  }),

  UntagResource: operation<UntagResourceCommandInput, object>({
    writes: true,
    permissions: ({ ResourceArn }) => [{ action: 'glue:UntagResource', resources: [ResourceArn ?? ''] }],
    run({ ResourceArn, TagsToRemove = [] }, cx) {
      const tags = tagsOf(cx, ResourceArn);
      for (const key of TagsToRemove) Reflect.deleteProperty(tags, key);
      return {};
    },
  }),
};
