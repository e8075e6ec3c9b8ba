export function runLink(runId: string): string {
  return `/v1/runs/${runId}`;
}
