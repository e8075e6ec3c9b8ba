/** An EventBridge event pattern: the part of the language that serverless.yml uses; other parts are an error. */
export type EventPattern = { [name: string]: EventPattern | readonly unknown[] };

/** True if each field of the pattern is met, and one of the alternatives of `$or` (EventBridge user guide, "Creating event patterns"). */
export function matchesPattern(event: Record<string, unknown>, pattern: EventPattern): boolean {
  return Object.entries(pattern).every(([name, wanted]) => {
    if (name === '$or') return (wanted as EventPattern[]).some((alternative) => matchesPattern(event, alternative));
    const value = event[name];
    if (Array.isArray(wanted)) return wanted.some((one) => meets(value, one));
    return typeof value === 'object' && value !== null && matchesPattern(value as typeof event, wanted as EventPattern);
  });
}

function meets(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return value === wanted;
  const [[operator, operand] = [], ...others] = Object.entries(wanted) as [string, unknown][];
  if (operator !== 'wildcard' || operand !== '*' || others.length > 0)
    throw new Error(`event pattern ${JSON.stringify(wanted)} is not known here`);
  return typeof value === 'string';
}
