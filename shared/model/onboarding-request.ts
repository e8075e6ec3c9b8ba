import * as z from 'zod';

/** Regions a CUR can deliver to: the CUR API's own AWSRegion enum without China (other partition, not supported). */
export const curRegions = [
  'af-south-1',
  'ap-east-1',
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-northeast-3',
  'ap-south-1',
  'ap-south-2',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-southeast-3',
  'ca-central-1',
  'eu-central-1',
  'eu-central-2',
  'eu-north-1',
  'eu-south-1',
  'eu-south-2',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'me-central-1',
  'me-south-1',
  'sa-east-1',
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
] as const;

const accountId = z
  .string()
  .regex(/^\d{12}$/, 'must be the 12 digits of an AWS account id, as a string')
  .meta({ id: 'AccountId', description: '12-digit AWS account id', example: '111122223333' });

/** S3 general purpose bucket names without dots (dots break TLS host names). */
const bucketName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, 'must be a bucket name: 3 to 63 of a-z, 0-9 and -');
const dnsLabel = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a Kubernetes name: a-z, 0-9 and -');
const dnsName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be a Kubernetes object name: a-z, 0-9, - and .');

const Cluster = z
  .strictObject({
    accountId,
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region such as eu-west-1'),
    name: z.string().regex(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/, 'must be an EKS cluster name'),
  })
  .meta({ id: 'Cluster', description: 'The EKS cluster whose Kubecost or OpenCost reads the bill' });

const Identity = z
  .strictObject({
    mode: z.enum(['irsa', 'pod-identity']).default('irsa').meta({ description: 'How the pod gets its AWS role' }),
    serviceAccount: z
      .strictObject({
        name: dnsName.optional().meta({ description: 'Default: the workload’s own, else kubecost-serviceaccount' }),
        create: z
          .boolean()
          .default(true)
          .meta({ description: 'Create the service account if it is missing (irsa only)' }),
      })
      .prefault({}),
  })
  .meta({ id: 'Identity' });

/** The name doubles as Glue and Athena name, so only characters that all of them keep as they are. */
const reportName = z
  .string()
  .max(64)
  .regex(
    /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/,
    'must be lower-case letters, digits and single underscores, starting with a letter',
  );

const Report = z
  .strictObject({
    mode: z.enum(['adopt-or-create', 'create', 'adopt']).default('adopt-or-create'),
    name: z.string().min(1).max(256).optional().meta({ description: 'Default: kubecost_cur, or the adopted report’s' }),
    bucket: bucketName
      .optional()
      .meta({ description: 'Default: kubecost-cur-<payer>-<region>, or the adopted report’s' }),
    prefix: z
      .string()
      .max(128)
      .regex(/^[0-9A-Za-z!_.*'()-]+(\/[0-9A-Za-z!_.*'()-]+)*$/, 'must not be empty or begin or end with /')
      .default('kubecost'),
    region: z
      .enum(curRegions)
      .default('us-east-1')
      .meta({ description: 'Region of bucket, crawler and Athena of a new report' }),
    retentionDays: z
      .int()
      .min(1)
      .max(3650)
      .nullable()
      .default(null)
      .meta({ description: 'Expire report objects after so many days; null keeps them. 7 days loses closed months' }),
  })
  .refine(
    (report) => report.mode === 'adopt' || report.name === undefined || reportName.safeParse(report.name).success,
    {
      path: ['name'],
      // Also when another field is wrong: every problem belongs in one answer.
      when: ({ value }) => z.looseObject({ name: z.string() }).safeParse(value).success,
      error: 'must be lower-case letters, digits and single underscores, starting with a letter, unless mode is adopt',
    },
  )
  .meta({ id: 'ReportChoice' });

const Athena = z
  .strictObject({
    workgroup: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,128}$/, 'must be an Athena workgroup name')
      .default('primary'),
    resultsBucket: bucketName
      .optional()
      .meta({ description: 'Default: the workgroup’s, else kubecost-athena-results-<payer>-<region>' }),
    resultsRetentionDays: z
      .int()
      .min(1)
      .max(3650)
      .default(1)
      .meta({ description: 'Only for a results bucket that we make' }),
  })
  .meta({ id: 'Athena' });

const Kubecost = z
  .strictObject({
    namespace: dnsLabel.default('kubecost'),
    secretName: dnsName.default('cloud-integration'),
    format: z
      .enum(['auto', 'legacy', 'configurations'])
      .default('auto')
      .meta({ description: 'auto keeps the file’s format; a new file gets the legacy array' }),
    createNamespace: z.boolean().default(true).meta({ description: 'Create the namespace if it is missing' }),
    publish: z.enum(['secret', 'artifacts']).default('secret').meta({
      description:
        'secret: write the entry into the cluster’s secret; artifacts: leave the secret to its owner (Helm, Argo CD, Flux, External Secrets), who takes the entry from GET /v1/runs/{runId}/artifacts',
    }),
  })
  .meta({ id: 'Kubecost' });

const Wait = z
  .strictObject({
    intervalMinutes: z.int().min(5).max(240).default(15),
    deadlineHours: z.int().min(1).max(336).default(48),
  })
  .refine(({ intervalMinutes, deadlineHours }) => (deadlineHours * 60) / intervalMinutes <= 2000, {
    error: 'must not need more than 2,000 polls: lengthen intervalMinutes or shorten deadlineHours',
  })
  .meta({ id: 'Wait', description: 'How often and how long to look for the report’s first delivery' });

export const OnboardingRequest = z
  .strictObject({
    payerAccountId: accountId,
    cluster: Cluster,
    identity: Identity.prefault({}),
    report: Report.prefault({}),
    crawler: z.enum(['auto', 'template', 'native']).default('auto').meta({
      description:
        'template: AWS’s crawler-cfn.yml; native: our own stack without Lambda; auto: template where it can be deployed',
    }),
    athena: Athena.prefault({}),
    kubecost: Kubecost.prefault({}),
    existing: z
      .enum(['refuse', 'take-over'])
      .default('refuse')
      .meta({ description: 'What to do about a hand-made role or entry: refuse the run, or complete it in place' }),
    allowMemberAccount: z.boolean().default(false),
    wait: Wait.prefault({}),
    dryRun: z.boolean().default(false).meta({ description: 'Only look and plan; the run ends planned' }),
  })
  .meta({ id: 'OnboardingRequest' });

/** A request with every default filled in, as the run shows it. */
export type OnboardingRequest = z.output<typeof OnboardingRequest>;
export type OnboardingRequestInput = z.input<typeof OnboardingRequest>;

/** What an offboarding may delete although the run that used it did not make it, or although it is kept by default. */
export const purgeable = ['report', 'data', 'crawler-stack', 'results-bucket', 'payer-role', 'pod-role'] as const;

export const OffboardingRequest = z
  .strictObject({
    payerAccountId: accountId,
    cluster: Cluster,
    kubecost: Kubecost.pick({ namespace: true, secretName: true })
      .prefault({})
      .meta({ id: 'OffboardingTarget', description: 'Where the payer’s entry is published' }),
    purge: z.array(z.enum(purgeable)).default([]).meta({
      description:
        'What is kept unless it is named here: report, the report definition; data, what AWS delivered, and the bucket if we made it; crawler-stack, results-bucket, payer-role, pod-role, where they were adopted',
    }),
    dryRun: z.boolean().default(false).meta({ description: 'Only look and plan; the run ends planned' }),
  })
  .meta({ id: 'OffboardingRequest' });

/** A request with every default filled in, as the run shows it. */
export type OffboardingRequest = z.output<typeof OffboardingRequest>;
export type OffboardingRequestInput = z.input<typeof OffboardingRequest>;
