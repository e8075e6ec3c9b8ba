import { AwsError } from '../../service.ts';

/** One page of a list; at most 100 items, as in EKS. */
export function page<Item>(
  all: readonly Item[],
  { maxResults = 100, nextToken }: { maxResults?: number | undefined; nextToken?: string | undefined },
): { items: Item[]; rest: { nextToken?: string } } {
  if (maxResults < 1 || maxResults > 100)
    throw new AwsError('InvalidParameterException', 'maxResults must be between 1 and 100');
  const start = nextToken === undefined ? 0 : Number(Buffer.from(nextToken, 'base64url').toString());
  if (!Number.isInteger(start)) throw new AwsError('InvalidParameterException', 'Invalid nextToken');
  const end = start + maxResults;
  const more = end < all.length;
  return {
    items: all.slice(start, end),
    rest: more ? { nextToken: Buffer.from(String(end)).toString('base64url') } : {},
  };
}
