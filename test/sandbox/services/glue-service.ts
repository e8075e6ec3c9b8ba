import * as sdk from '@aws-sdk/client-glue';
import type { Service } from '../service.ts';
import { catalogOperations } from './glue-catalog.ts';
import { crawlerOperations } from './glue-crawlers.ts';
import { tagOperations } from './glue-tags.ts';

export const glueService: Service = {
  signingName: 'glue',
  sdk,
  operations: { ...catalogOperations, ...crawlerOperations, ...tagOperations },
};
