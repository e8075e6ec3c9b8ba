import type { IntelligentTieringConfiguration, LifecycleRule } from '@aws-sdk/client-s3';
import * as z from 'zod';

/** Days of costs that the consumer builds at its start. */
export const historyDays = 91;
/** A month of costs is complete some days after its end, so its files are that much younger than its costs. */
const neededDays = 100;

/** Classes that Athena cannot read: it leaves out the objects without an error. GLACIER_IR is no archive, and can be read. */
const archives = ['GLACIER', 'DEEP_ARCHIVE'];

/** What the bucket's rules will do to the data that the consumer still reads. @param dataFolder with a slash at the end */
export function lifetimeWarnings(
  bucket: string,
  rules: readonly LifecycleRule[],
  tierings: readonly IntelligentTieringConfiguration[],
  dataFolder: string,
): string[] {
  const effects = [
    ...rules.filter((rule) => rule.Status === 'Enabled' && meets(prefixOf(rule), dataFolder)).flatMap(ruleEffects),
    ...tierings
      .filter(
        ({ Status, Filter }) => Status === 'Enabled' && !hasTags(Filter) && meets(tieredPrefix(Filter), dataFolder),
      )
      .flatMap(tieringEffects),
  ];
  return effects.map((effect) => `bucket ${bucket}: ${effect}, and the consumer reads ${historyDays} days`);
}

function ruleEffects({ ID = 'without id', Expiration, Transitions = [] }: LifecycleRule): string[] {
  const { Days: days, Date: date } = Expiration ?? {};
  const expiry = days === undefined ? date && `expires the data on ${dayOf(date)}` : undefined;
  const early = days !== undefined && days > 0 && days < neededDays ? `expires the data after ${days} days` : undefined;
  const moves = Transitions.filter(({ StorageClass = '' }) => archives.includes(StorageClass)).map(
    ({ Days = 0, Date: at, StorageClass = '' }) =>
      `archives the data in ${StorageClass} ${at ? `on ${dayOf(at)}` : `after ${Days} days`}`,
  );
  return [expiry, early, ...moves].flatMap((effect) => (effect ? [`lifecycle rule ${ID} ${effect}`] : []));
}

function tieringEffects({ Id = '', Tierings = [] }: IntelligentTieringConfiguration): string[] {
  return Tierings.map(
    ({ Days = 0, AccessTier = '' }) =>
      `intelligent tiering ${Id} moves data of that class to ${AccessTier} after ${Days} days without access`,
  );
}

/** A rule of the first API has its prefix beside the filter; S3 still returns such rules. */
const FirstForm = z.object({ Prefix: z.string().default('') });

/** Undefined for a rule about tagged objects: AWS delivers objects without tags. */
function prefixOf(rule: LifecycleRule): string | undefined {
  const { Filter: filter } = rule;
  if (filter?.Tag || filter?.And?.Tags?.length) return undefined;
  return filter?.Prefix ?? filter?.And?.Prefix ?? FirstForm.parse(rule).Prefix;
}

function hasTags(filter: IntelligentTieringConfiguration['Filter']): boolean {
  return filter?.Tag !== undefined || (filter?.And?.Tags?.length ?? 0) > 0;
}

function tieredPrefix(filter: IntelligentTieringConfiguration['Filter']): string {
  return filter?.Prefix ?? filter?.And?.Prefix ?? '';
}

/** True if the rule covers all of the data or a part of it. */
function meets(prefix: string | undefined, dataFolder: string): boolean {
  return prefix !== undefined && (dataFolder.startsWith(prefix) || prefix.startsWith(dataFolder));
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
