import * as sdk from '@aws-sdk/client-s3';
import type { Service } from '../../service.ts';
import { settingOperations } from './bucket-settings.ts';
import { bucketOperations } from './buckets.ts';
import { objectOperations } from './objects.ts';

export const s3Service: Service = {
  signingName: 's3',
  sdk,
  operations: { ...bucketOperations, ...settingOperations, ...objectOperations },
};
