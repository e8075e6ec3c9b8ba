import type { StepName } from '../../shared/model/step-names.ts';
import type { Step } from '../../shared/step/contract.ts';
import { athenaResults } from './athena-results.ts';
import { chainProof } from './chain-proof.ts';
import { clusterAccess } from './cluster-access.ts';
import { crawlerStack } from './crawler-stack.ts';
import { crawlerTable } from './crawler-table.ts';
import { curBucket } from './cur-bucket.ts';
import { curReport } from './cur-report.ts';
import { discovery } from './discovery.ts';
import { firstDelivery } from './first-delivery.ts';
import { grant } from './grant.ts';
import { inventory } from './inventory.ts';
import { loadProof } from './load-proof.ts';
import { payerPolicy } from './payer-policy.ts';
import { payerRole } from './payer-role.ts';
import { podIdentity } from './pod-identity.ts';
import { podRole } from './pod-role.ts';
import { preflight } from './preflight.ts';
import { publish } from './publish.ts';
import { removeAccess } from './remove-access.ts';
import { removeAthenaResults } from './remove-athena-results.ts';
import { removeCrawlerStack } from './remove-crawler-stack.ts';
import { removeEntry } from './remove-entry.ts';
import { removeGrant } from './remove-grant.ts';
import { removePayerRole } from './remove-payer-role.ts';
import { removePodRole } from './remove-pod-role.ts';
import { removeReport } from './remove-report.ts';
import { reportChoice } from './report-choice.ts';
import { retireCrawler } from './retire-crawler.ts';
import { smokeQuery } from './smoke-query.ts';
import { unloadProof } from './unload-proof.ts';

/** Every step by name. Generated from shared/model/steps-and-outputs.ts: npm run generate. */
export const steps: Record<StepName, Step> = {
  preflight,
  'report-choice': reportChoice,
  'cluster-access': clusterAccess,
  discovery,
  'cur-bucket': curBucket,
  'cur-report': curReport,
  'first-delivery': firstDelivery,
  'crawler-stack': crawlerStack,
  'crawler-table': crawlerTable,
  'athena-results': athenaResults,
  'pod-role': podRole,
  'pod-identity': podIdentity,
  'payer-role': payerRole,
  grant,
  'chain-proof': chainProof,
  'payer-policy': payerPolicy,
  'smoke-query': smokeQuery,
  publish,
  'load-proof': loadProof,
  'retire-crawler': retireCrawler,
  inventory,
  'remove-entry': removeEntry,
  'unload-proof': unloadProof,
  'remove-pod-role': removePodRole,
  'remove-grant': removeGrant,
  'remove-payer-role': removePayerRole,
  'remove-crawler-stack': removeCrawlerStack,
  'remove-athena-results': removeAthenaResults,
  'remove-report': removeReport,
  'remove-access': removeAccess,
};
