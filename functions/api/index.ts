import type { Route } from '../../shared/http/route.ts';
import * as cancelBatch from './cancel-batch.ts';
import * as cancelRun from './cancel-run.ts';
import * as createBatch from './create-batch.ts';
import * as createOffboarding from './create-offboarding.ts';
import * as createOnboarding from './create-onboarding.ts';
import * as docs from './docs.ts';
import * as getArtifacts from './get-artifacts.ts';
import * as getBatch from './get-batch.ts';
import * as getRun from './get-run.ts';
import * as health from './health.ts';
import * as listRuns from './list-runs.ts';
import * as openapi from './openapi.ts';
import * as pauseBatch from './pause-batch.ts';
import * as resumeBatch from './resume-batch.ts';
import * as retryBatch from './retry-batch.ts';
import * as retryRun from './retry-run.ts';

/**
 * Every route in the order the documentation shows them. A route's key is the name of its function and, in kebab case, of its file.
 * For generation and tests, never bundled.
 */
export const routes = {
  createOnboarding,
  createOffboarding,
  getRun,
  getArtifacts,
  retryRun,
  cancelRun,
  listRuns,
  createBatch,
  getBatch,
  pauseBatch,
  resumeBatch,
  cancelBatch,
  retryBatch,
  openapi,
  docs,
  health,
} satisfies Record<string, { route: Route; handler: unknown }>;
