import { AwsError } from '../../service.ts';
import { invalid } from './policy-documents.ts';

interface Tag {
  Key: string | undefined;
  Value: string | undefined;
}

export type Tags = Map<string, string>;

/** Adds or replaces tags; all tags together must stay within IAM's limits. */
export function addTags(tags: Tags, added: readonly Tag[] = []): void {
  const keys = added.map(({ Key = '' }) => Key.toLowerCase());
  if (new Set(keys).size < keys.length)
    throw new AwsError(
      'InvalidInputException',
      'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
    );
  for (const { Key = '', Value = '' } of added) {
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(Key)) throw invalid('tags.member.key', 'Member must be a tag key');
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(Value))
      throw invalid('tags.member.value', 'Member must be a tag value');
  }
  if (new Set([...tags.keys(), ...added.map(({ Key = '' }) => Key)]).size > 50)
    throw new AwsError('LimitExceededException', 'The number of tags has reached the maximum limit.');
  for (const { Key = '', Value = '' } of added) tags.set(Key, Value);
}

export function tagList(tags: Tags): { Key: string; Value: string }[] {
  return [...tags].map(([Key, Value]) => ({ Key, Value }));
}

/** Condition keys that describe the tags in a request. */
export function requestTagContext(added: readonly Tag[] = []): Record<string, string | string[]> {
  return {
    ...Object.fromEntries(added.map(({ Key = '', Value = '' }) => [`aws:RequestTag/${Key}`, Value])),
    ...(added.length > 0 && { 'aws:TagKeys': added.map(({ Key = '' }) => Key) }),
  };
}

/** Condition keys that describe the tags of the requested resource. */
export function resourceTagContext(tags: Tags | undefined): Record<string, string> {
  return Object.fromEntries(
    [...(tags ?? [])].flatMap(([key, value]) => [
      [`aws:ResourceTag/${key}`, value],
      [`iam:ResourceTag/${key}`, value],
    ]),
  );
}
