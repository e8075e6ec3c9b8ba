/** Calls to the hub's table by what they cost. */
export function countTableCalls(calls: readonly string[]): { tableWrites: number; tableReads: number } {
  const tableReads = calls.filter((call) => call === 'GetItem' || call === 'Query').length;
  return { tableWrites: calls.length - tableReads, tableReads };
}
