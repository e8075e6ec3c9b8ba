import type { OnboardingRequest } from '../model/run-requests.ts';

/** How the report's table is made: `template` only from AWS's template, `none` without a crawler, `auto` in the first way that works. */
export type CrawlerMode = 'auto' | 'template' | 'none';

/** The way that a request asks for. `native`, our own crawler until release 0.3.0, means `none` for one release. */
export function requestedWay(crawler: OnboardingRequest['crawler']): { mode: CrawlerMode; warnings: string[] } {
  if (crawler !== 'native') return { mode: crawler, warnings: [] };
  return {
    mode: 'none',
    warnings: ['crawler: native means none in this release, and the next release refuses it. Send crawler: none'],
  };
}
