import * as sdk from '@aws-sdk/client-glue';
import type { Service } from '../../service.ts';
import { catalogOperations } from './catalog.ts';
import { encryptionOperations, withCatalogKey } from './catalog-encryption.ts';
import { crawlerOperations } from './crawlers.ts';
import { tagOperations } from './tags.ts';

export const glueService: Service = {
  signingName: 'glue',
  sdk,
  operations: { ...withCatalogKey(catalogOperations), ...encryptionOperations, ...crawlerOperations, ...tagOperations },
};
