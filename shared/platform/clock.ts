/** The one place where the wall clock is read; milliseconds since the epoch. */
export function now(): number {
  return Date.now();
}

export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
