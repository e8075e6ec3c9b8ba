import * as z from 'zod';

/** Newest delivered month, as the folders of the report spell it: the month has no leading zero. */
export const Partition = z.object({ year: z.string(), month: z.string() }).meta({ id: 'Partition' });
export type Partition = z.infer<typeof Partition>;

/** What a removal deleted, and what it kept with the reason. */
const removal = z.object({
  removed: z.array(z.string()),
  kept: z.array(z.object({ resource: z.string(), why: z.string() })),
});
export type Removal = z.infer<typeof removal>;

/**
 * Every step of an onboarding by its phase, in the order in which a run shows it, with its output for later steps and for the
 * API: names and facts, never documents or credentials. state-machines/provision.ts says how the phases follow each other.
 */
export const onboardingPhases = {
  /** Runs before anything outside the cluster is written. */
  preparation: {
    preflight: z.object({
      clusterArn: z.string(),
      clusterVersion: z.string(),
      endpoint: z.url(),
      /** Base64 PEM bundle; public. */
      certificateAuthority: z.string(),
      oidcIssuer: z.string(),
      podIdentityAvailable: z.boolean(),
      /** This field and the next two are null only in a dry run that could not read them. */
      organization: z.enum(['management', 'member', 'none']).nullable(),
      /** Unreserved Lambda concurrency of the payer account in the report's region; null too if our role may not deploy crawlers. */
      unreservedConcurrency: z.int().nullable(),
      lakeFormationLocked: z.boolean().nullable(),
      /** What the tags of our role in the payer account say about its access template. Version 0: the template of release 0.3.0. */
      access: z
        .object({ version: z.int(), parameters: z.record(z.string(), z.string()) })
        .nullable()
        .default(null),
    }),
    'report-choice': z.object({
      choice: z.enum(['adopt', 'create']),
      reportKind: z.string().default('legacy-cur'),
      reportName: z.string(),
      bucket: z.string(),
      prefix: z.string(),
      region: z.string(),
      /** When AWS last wrote to the folder of the adopted report, unless AWS says that it failed since. Null for a new report. */
      deliveredAt: z.string().nullable().default(null),
      /** Every report of the account: whether it is usable, with every reason and every remedy. */
      considered: z.array(
        z.object({
          reportName: z.string(),
          usable: z.boolean(),
          used: z.boolean().default(false),
          reasons: z.array(z.string()),
          remedies: z.array(z.string()).default([]),
        }),
      ),
    }),
    'cluster-access': z.object({
      principalArn: z.string(),
      namespace: z.string(),
      /** Names that our Role in the cluster covers. */
      serviceAccounts: z.array(z.string()).default([]),
      workloads: z.array(z.string()).default([]),
      statusServices: z.array(z.string()).default([]),
    }),
    discovery: z.object({
      /** `unknown` only in a dry run that has no access to the cluster yet. */
      installation: z.enum([
        'kubecost-1',
        'kubecost-2',
        'kubecost-2-statefulset',
        'kubecost-3',
        'opencost',
        'none',
        'unknown',
      ]),
      /** `deployment/<name>` or `statefulset/<name>`. */
      workload: z.string().nullable(),
      container: z.string().nullable().default(null),
      image: z.string().nullable(),
      mount: z.enum(['directory', 'subPath']).nullable(),
      serviceAccount: z.string(),
      /** Label selector of the workload's pods. */
      podSelector: z.string().nullable().default(null),
      /** Service with the connection status of the consumer, in the form of the API server's service proxy: `http:<name>:<port>`. */
      statusService: z.string().nullable().default(null),
    }),
  },
  billing: {
    'cur-bucket': z.object({
      bucket: z.string(),
      region: z.string(),
      adopted: z.boolean(),
      kmsKeyArn: z.string().nullable(),
    }),
    'cur-report': z.object({
      reportKind: z.string().default('legacy-cur'),
      reportName: z.string(),
      reportArn: z.string(),
      bucket: z.string(),
      prefix: z.string(),
      region: z.string(),
      adopted: z.boolean(),
      /** First day of which a report that this run created can have costs, `YYYY-MM-DD`; null for every other report. */
      dataSince: z.string().nullable().default(null),
    }),
    'first-delivery': z.object({
      /** Null if AWS has not delivered one. */
      templateKey: z.string().nullable(),
      /** Null if the data was recognised without a manifest. */
      manifestKey: z.string().nullable(),
      newestPartition: Partition,
      /** The first month with data. */
      firstPartition: Partition.nullable().default(null),
      deliveredAt: z.string(),
      detectedAt: z.string(),
    }),
    'crawler-stack': z.object({
      /** `native`: a stack of 0.3.0. `existing-crawler`: a crawler of this name that somebody else made. `none`: a table of our own. */
      kind: z.enum(['template', 'native', 'existing-crawler', 'adopted-table', 'none']),
      stackId: z.string().nullable(),
      crawlerName: z.string().nullable(),
      athenaDatabase: z.string(),
    }),
    'crawler-table': z.object({
      athenaDatabase: z.string(),
      athenaTable: z.string(),
      newestPartition: Partition,
      /** The last year of which the table has months; null if partitions in Glue say which months it has. */
      lastYear: z.int().nullable().default(null),
    }),
  },
  query: {
    'athena-results': z.object({
      athenaWorkgroup: z.string(),
      athenaResultsBucket: z.string(),
      /** `s3://bucket[/path]`, exactly as in the entry: it is part of the entry's key. */
      athenaResultsLocation: z.string(),
      athenaRegion: z.string(),
      /** The first of the next field; release 0.3.0 has this one only. */
      kmsKeyArn: z.string().nullable(),
      /** ARNs of the KMS keys of workgroup and bucket. */
      keyArns: z.array(z.string()).default([]),
      /** ARN of the KMS key of the Glue catalog. */
      catalogKeyArn: z.string().nullable().default(null),
    }),
  },
  /** A run takes the one of its identity mode. */
  identity: {
    'pod-role': z.object({ podRoleArn: z.string(), serviceAccount: z.string(), oidcProviderArn: z.string() }),
    'pod-identity': z.object({ podRoleArn: z.string(), serviceAccount: z.string(), associationId: z.string() }),
  },
  access: {
    'payer-role': z.object({ payerRoleArn: z.string() }),
    grant: z.object({ policyArn: z.string() }),
    'chain-proof': z.object({
      /** `pod-chain`: we assumed the roles with a service account token; `documents`: we read and evaluated the policies of both roles. */
      level: z.enum(['pod-chain', 'documents']),
      identityArn: z.string(),
      secretFormat: z.enum(['legacy', 'configurations', 'empty', 'absent']),
    }),
  },
  /** After the table and the access exist. */
  proof: {
    'payer-policy': z.object({ policyName: z.string(), characters: z.int() }),
    'smoke-query': z.object({
      level: z.enum(['pod-chain', 'narrowed-session', 'table-only']),
      columns: z.int(),
      rows: z.array(z.record(z.string(), z.string())),
      rowCount: z.int(),
      day: z.string(),
      scannedBytes: z.int(),
      queryExecutionIds: z.array(z.string()),
    }),
  },
  publication: {
    publish: z.object({
      secret: z.string(),
      resourceVersion: z.string(),
      /** SHA-256 of the file's bytes. */
      sha256: z.string(),
      key: z.string(),
      /** The entry of this payer in the file; if `mode` is `artifacts`, the entry that the owner has to add. */
      entry: z.record(z.string(), z.unknown()),
      otherKeys: z.array(z.string()),
      mode: z.enum(['secret', 'artifacts']).default('secret'),
    }),
    'load-proof': z.object({
      /** `proven`: the consumer reports the connection; `pending`: not within the time that we wait; `not-installed`: no workload reads the file yet. */
      verdict: z.enum(['proven', 'pending', 'not-installed']),
      /** Connection status that the consumer reports for this key, and its source. */
      connectionStatus: z.string().nullable(),
      source: z.enum(['status', 'log']).nullable(),
      /** While pending: what is missing, and how long that normally takes. */
      pendingFor: z.string().nullable(),
      /** First day the consumer covers with this payer's data, `YYYY-MM-DD`. */
      dataSince: z.string().nullable(),
      /** How the pod's role chain was checked while a pod ran. */
      chain: z.enum(['pod-chain', 'documents']),
    }),
    /** What the run did with the native crawler stack of release 0.3.0. */
    'retire-crawler': removal,
  },
} satisfies Record<string, Record<string, z.ZodObject>>;

/** The same for an offboarding, whose steps run in sequence: a resource is removed after everything that reads it. */
export const offboardingSteps = {
  inventory: z.object({
    /** The newest onboarding of this payer and target; null if the table has none. */
    onboardedBy: z.string().nullable(),
    /** Null if the cluster does not exist any more: then there is nothing to remove in it. */
    cluster: z.object({ endpoint: z.url(), certificateAuthority: z.string(), oidcIssuer: z.string() }).nullable(),
    identityMode: z.enum(['irsa', 'pod-identity']),
    serviceAccount: z.string(),
    /** Key of the published entry; null if it was never published. */
    publishedKey: z.string().nullable(),
    /** Null if no run has chosen a report. */
    report: z
      .object({
        reportKind: z.string().default('legacy-cur'),
        reportName: z.string(),
        bucket: z.string(),
        prefix: z.string(),
        region: z.string(),
      })
      .nullable(),
    athenaWorkgroup: z.string(),
    athenaResultsBucket: z.string().nullable(),
  }),
  'remove-entry': removal.extend({ otherKeys: z.array(z.string()) }),
  'unload-proof': z.object({
    /** `not-seen`: the cluster does not exist any more, or denies us access. */
    verdict: z.enum(['gone', 'not-installed', 'not-seen']),
  }),
  'remove-pod-role': removal,
  'remove-grant': removal,
  'remove-payer-role': removal,
  'remove-crawler-stack': removal,
  'remove-athena-results': removal,
  'remove-report': removal,
  'remove-access': removal,
} satisfies Record<string, z.ZodObject>;

export const onboardingSteps = {
  ...onboardingPhases.preparation,
  ...onboardingPhases.billing,
  ...onboardingPhases.query,
  ...onboardingPhases.identity,
  ...onboardingPhases.access,
  ...onboardingPhases.proof,
  ...onboardingPhases.publication,
};

/** The schema of each step's output. */
export const outputs = { ...onboardingSteps, ...offboardingSteps };

export type Outputs = { [Name in keyof typeof outputs]: z.infer<(typeof outputs)[Name]> };

const schemas: { [Name in keyof Outputs]: z.ZodType<Outputs[Name]> } = outputs;

/** Undefined if there is no output, or if the schema rejects it: another release may have written it. */
export function parseOutput<Name extends keyof Outputs>(name: Name, output: unknown): Outputs[Name] | undefined {
  return schemas[name].safeParse(output).data;
}
