import * as z from 'zod';
import { curRegions, type OffboardingRequest, type OnboardingRequest, purgeable } from './run-requests.ts';

/*
 * Requests as the table holds them: already valid when they were sent. Only their form is parsed again, so that a limit that a later
 * release tightens makes no earlier run unreadable.
 */

const cluster = z.looseObject({ accountId: z.string(), region: z.string(), name: z.string() });

export const StoredOnboardingRequest: z.ZodType<OnboardingRequest> = z.looseObject({
  payerAccountId: z.string(),
  cluster,
  identity: z.looseObject({
    mode: z.enum(['irsa', 'pod-identity']),
    serviceAccount: z.looseObject({ name: z.string().optional(), create: z.boolean() }),
  }),
  report: z.looseObject({
    mode: z.enum(['adopt-or-create', 'create', 'adopt']),
    name: z.string().optional(),
    bucket: z.string().optional(),
    prefix: z.string(),
    region: z.enum(curRegions),
    retentionDays: z.number().nullable(),
  }),
  crawler: z.enum(['auto', 'template', 'none', 'native']),
  athena: z.looseObject({
    workgroup: z.string(),
    resultsBucket: z.string().optional(),
    resultsRetentionDays: z.number(),
  }),
  kubecost: z.looseObject({
    namespace: z.string(),
    secretName: z.string(),
    format: z.enum(['auto', 'legacy', 'configurations']),
    createNamespace: z.boolean(),
    publish: z.enum(['secret', 'artifacts']),
  }),
  existing: z.enum(['refuse', 'take-over']),
  allowMemberAccount: z.boolean(),
  wait: z.looseObject({ intervalMinutes: z.number(), deadlineHours: z.number() }),
  dryRun: z.boolean(),
});

export const StoredOffboardingRequest: z.ZodType<OffboardingRequest> = z.looseObject({
  payerAccountId: z.string(),
  cluster,
  kubecost: z.looseObject({ namespace: z.string(), secretName: z.string() }),
  purge: z.array(z.enum(purgeable)),
  dryRun: z.boolean(),
});
