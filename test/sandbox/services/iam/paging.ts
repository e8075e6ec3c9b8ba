import { AwsError } from '../../service.ts';
import { invalid } from './policy-documents.ts';

interface PageRequest {
  Marker?: string | undefined;
  MaxItems?: number | undefined;
}

/** One page of a list; 100 items by default, as in IAM. */
export function page<Item>(all: readonly Item[], { Marker, MaxItems = 100 }: PageRequest) {
  if (MaxItems < 1 || MaxItems > 1000) throw invalid('maxItems', 'Member must have value between 1 and 1000');
  const start = Marker === undefined ? 0 : Number(Buffer.from(Marker, 'base64url').toString());
  if (!Number.isInteger(start)) throw new AwsError('ValidationError', 'Invalid Marker.');
  const end = start + MaxItems;
  const more = end < all.length;
  return {
    items: all.slice(start, end),
    rest: { IsTruncated: more, ...(more && { Marker: Buffer.from(String(end)).toString('base64url') }) },
  };
}
