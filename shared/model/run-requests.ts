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
  .meta({ id: 'Cluster', description: 'The EKS cluster in which Kubecost or OpenCost reads the bill' });

const Identity = z
  .strictObject({
    mode: z.enum(['irsa', 'pod-identity']).default('irsa').meta({ description: 'How the pod gets its AWS role' }),
    serviceAccount: z
      .strictObject({
        name: dnsName.optional().meta({
          description:
            'Default: the service account of the installed workload; kubecost-serviceaccount if none is installed',
        }),
        create: z
          .boolean()
          .default(true)
          .meta({ description: 'Create the service account if it is missing (irsa only)' }),
      })
      .prefault({}),
  })
  .meta({ id: 'Identity' });

/** Glue and Athena use the name too, so only characters that none of them changes. */
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
    name: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'Default: kubecost_cur, or the name of the adopted report' }),
    bucket: bucketName
      .optional()
      .meta({ description: 'Default: kubecost-cur-<payer>-<region>, or the bucket of the adopted report' }),
    prefix: z
      .string()
      .max(128)
      // PutReportDefinition since 2025-11: ^.+[^/|.]$ (landing-zone-accelerator-on-aws#963).
      .regex(
        /^(?=..)[0-9A-Za-z!_.*'()-]+(\/[0-9A-Za-z!_.*'()-]+)*(?<!\.)$/,
        'must have two characters or more, must not begin or end with /, and must not end with a dot',
      )
      .default('kubecost'),
    region: z
      .enum(curRegions)
      .default('us-east-1')
      .meta({ description: 'Region of the bucket, the crawler and Athena for a new report' }),
    retentionDays: z.int().min(1).max(3650).nullable().default(null).meta({
      description:
        'Report objects expire after this number of days; null keeps them. A period of 7 days deletes closed months',
    }),
  })
  .refine(
    (report) => report.mode === 'adopt' || report.name === undefined || reportName.safeParse(report.name).success,
    {
      path: ['name'],
      // Also when another field is wrong: one response lists every problem.
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
    resultsBucket: bucketName.optional().meta({
      description:
        'Default: the results bucket of the workgroup; kubecost-athena-results-<payer>-<region> if it has none',
    }),
    resultsRetentionDays: z
      .int()
      .min(1)
      .max(3650)
      .default(1)
      .meta({ description: 'Only for a results bucket that we create' }),
  })
  .meta({ id: 'Athena' });

const Kubecost = z
  .strictObject({
    namespace: dnsLabel.default('kubecost'),
    secretName: dnsName.default('cloud-integration'),
    format: z
      .enum(['auto', 'legacy', 'configurations'])
      .default('auto')
      .meta({ description: 'auto uses the format of the existing file; a new file gets the legacy format' }),
    createNamespace: z.boolean().default(true).meta({ description: 'Create the namespace if it is missing' }),
    publish: z.enum(['secret', 'artifacts']).default('secret').meta({
      description:
        'secret: the run writes the entry into the secret of the cluster. artifacts: the run does not write the secret; its owner (Helm, Argo CD, Flux, External Secrets) adds the entry from GET /v1/runs/{runId}/artifacts',
    }),
  })
  .meta({ id: 'Kubecost' });

/** Of `wait.deadlineHours`. */
export const longestHours = 336;

const Wait = z
  .strictObject({
    intervalMinutes: z
      .int()
      .min(5)
      .max(240)
      .default(5)
      .meta({ description: 'Longest time between two checks of AWS’s status of the report. A check is free' }),
    deadlineHours: z
      .int()
      .min(1)
      .max(longestHours)
      .default(48)
      .meta({ description: 'After this time without a delivery the run fails with delivery-overdue' }),
  })
  .meta({ id: 'Wait', description: 'How often and how long to check for the first delivery of the report' });

export const OnboardingRequest = z
  .strictObject({
    payerAccountId: accountId,
    cluster: Cluster,
    identity: Identity.prefault({}),
    report: Report.prefault({}),
    crawler: z.enum(['auto', 'template', 'none', 'native']).default('auto').meta({
      description:
        'How the report gets its table. none: the run makes the table, without a crawler; USD 0. template: the crawler template of AWS (crawler-cfn.yml), about USD 0.147 for the first crawl and 4 to 13 a month; the run fails if the template cannot be deployed. auto: a table that exists, else the template if it can be trusted and deployed, else as with none, with a warning that says why. native: deprecated, means none; the next release refuses it',
    }),
    athena: Athena.prefault({}),
    kubecost: Kubecost.prefault({}),
    existing: z.enum(['refuse', 'take-over']).default('refuse').meta({
      description:
        'What to do with an existing role or entry that is not ours. refuse: the run fails. take-over: we use it and add what is missing',
    }),
    allowMemberAccount: z.boolean().default(false),
    wait: Wait.prefault({}),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: 'Only plan: the run changes nothing and ends with the status planned' }),
  })
  .meta({ id: 'OnboardingRequest' });

/** A request with every default filled in, as the run shows it. */
export type OnboardingRequest = z.output<typeof OnboardingRequest>;
export type OnboardingRequestInput = z.input<typeof OnboardingRequest>;

/** What an offboarding keeps by default and deletes on request. */
export const purgeable = ['report', 'data', 'crawler-stack', 'results-bucket', 'payer-role', 'pod-role'] as const;

export const OffboardingRequest = z
  .strictObject({
    payerAccountId: accountId,
    cluster: Cluster,
    kubecost: Kubecost.pick({ namespace: true, secretName: true })
      .prefault({})
      .meta({ id: 'OffboardingTarget', description: 'Where the entry of the payer is published' }),
    purge: z.array(z.enum(purgeable)).default([]).meta({
      description:
        'What to delete that is kept by default. report: the report definition. data: the delivered data, and the bucket if we created it. crawler-stack, results-bucket, payer-role, pod-role: the adopted ones',
    }),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: 'Only plan: the run changes nothing and ends with the status planned' }),
  })
  .meta({ id: 'OffboardingRequest' });

/** A request with every default filled in, as the run shows it. */
export type OffboardingRequest = z.output<typeof OffboardingRequest>;
export type OffboardingRequestInput = z.input<typeof OffboardingRequest>;
