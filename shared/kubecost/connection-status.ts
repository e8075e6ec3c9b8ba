import * as z from 'zod';
import type { ErrorCode } from '../errors/catalogue.ts';
import { entryKey, type IntegrationEntry } from '../integration-file/merge.ts';

/** Our decision about one entry, from the consumer's status or log. */
export type ConnectionDecision =
  | { verdict: 'proven'; dataSince: string | null }
  /** `pendingFor`: what is missing, and how long that normally takes. */
  | { verdict: 'pending'; pendingFor: string }
  /** Counts as pending until it has lasted for `lastsSeconds`: mounted files, credentials and IAM changes become effective late. */
  | {
      verdict: 'failing';
      pendingFor: string;
      code: ErrorCode;
      cause: string;
      lastsSeconds: number;
      /** True if a query failed; the consumer repeats it. */
      query: boolean;
    };

/** The reported status of one entry. */
export interface ReportedStatus {
  /** As the consumer reports it; null if it does not know the entry. */
  status: string | null;
  decision: ConnectionDecision;
}

/** One integration of `GET /cloudCost/status` (opencost pkg/cloudcost/status.go); older versions lack fields. */
const Integration = z.object({
  key: optional(z.string()),
  source: optional(z.string()),
  active: optional(z.boolean()),
  valid: optional(z.boolean()),
  connectionStatus: optional(z.string()),
  /** `[<start>, <end>)`, both ISO 8601. */
  coverage: optional(z.string()),
  config: optional(z.looseObject({ authorizer: optional(z.object({ roleARN: z.unknown().optional() })) })),
});
type Integration = z.infer<typeof Integration>;

const Status = z.object({ code: z.literal(200), data: z.array(z.unknown()).nullish() });

/** A field of another type counts as absent. */
function optional<T extends z.ZodType>(type: T) {
  return type.optional().catch(undefined);
}

/** The kubelet refreshes a mounted secret within about two minutes, and the consumer checks the file every 10 s. */
export const takenUpSeconds = 180;
/** A query window of seven days takes about 20 s. After this time the consumer has tried several, and new credentials are effective. */
const settledSeconds = 300;
const settling =
  'a successful query of the consumer, normally within 5 minutes after IAM changes and credentials are effective';

const takingUp = 'the consumer to load the entry, normally within 2 minutes';

export function notTakenUp(cause: string): ConnectionDecision {
  return {
    verdict: 'failing',
    pendingFor: takingUp,
    code: 'consumer-not-reading',
    cause,
    lastsSeconds: takenUpSeconds,
    query: false,
  };
}

function invalid(cause: string): ConnectionDecision {
  const code = 'consumer-refuses-entry';
  return { verdict: 'failing', pendingFor: takingUp, code, cause, lastsSeconds: 0, query: false };
}

/** @param lasting true if waiting does not help */
export function failing(cause: string, code: ErrorCode = 'connection-failed', lasting = false): ConnectionDecision {
  const lastsSeconds = lasting ? 0 : settledSeconds;
  return { verdict: 'failing', pendingFor: settling, code, cause, lastsSeconds, query: true };
}

export const firstQuery: ConnectionDecision = {
  verdict: 'pending',
  pendingFor: 'the first query of the consumer, normally within a minute',
};

const failed = failing('its queries fail');

const noRows: ConnectionDecision = {
  verdict: 'failing',
  pendingFor: 'the first rows, normally within 24 hours after the creation of the report, at most 48',
  code: 'connection-data-missing',
  cause: 'its queries return no rows',
  lastsSeconds: 2 * settledSeconds,
  query: true,
};

const incomplete = invalid('it reports the configuration of the entry as invalid');

const unreadable = failing('it cannot parse the response of Athena', 'connection-failed', true);

/** Every status of opencost's pkg/cloud/connectionstatus.go; in capitals as in Kubecost's older documentation. */
const statuses = new Map<string, ConnectionDecision | 'proven'>([
  ['Connection Successful', 'proven'],
  ['SUCCESSFUL_CONNECTION', 'proven'],
  ['No Connection', firstQuery],
  ['INITIAL_STATUS', firstQuery],
  ['Data Missing', noRows],
  ['MISSING_DATA', noRows],
  ['Failed Connection', failed],
  ['FAILED_CONNECTION', failed],
  ['Invalid Configuration', incomplete],
  ['INVALID_CONFIGURATION', incomplete],
  ['MISSING_CONFIGURATION', incomplete],
  ['INCOMPLETE_CONFIGURATION', incomplete],
  ['Parse Error', unreadable],
  ['PARSE_ERROR', unreadable],
]);

/**
 * Path of the consumer's status, through the API server's service proxy. We never request another path of this service: some of them
 * (rebuild, repair, enable, disable) make changes on a GET.
 * @param statusService `http:<name>:<port>`; 9090 is the front end, which forwards `/model`
 */
export function statusPath(namespace: string, statusService: string): string {
  return `/api/v1/namespaces/${namespace}/services/${statusService}/proxy${statusRoute(statusService)}`;
}

/** Path of the status on the service itself. */
export function statusRoute(statusService: string): string {
  return `${statusService.endsWith(':9090') ? '/model' : ''}/cloudCost/status`;
}

/** Undefined if `body` is not a status response, for example a login page. */
export function readStatus(body: string, entry: IntegrationEntry): ReportedStatus | undefined {
  const integrations = integrationsIn(body);
  if (!integrations) return undefined;
  const key = entryKey(entry);
  const same = integrations.filter((integration) => integration.key === key);
  const integration = same.find(({ source }) => source === 'multicloud');
  if (!integration) {
    const cause =
      same.length > 0
        ? 'it has loaded the same entry from another source, not from the file'
        : 'it does not list the entry: it did not find or did not accept the file';
    return { status: null, decision: notTakenUp(cause) };
  }
  const { connectionStatus = '' } = integration;
  return { status: connectionStatus, decision: decide(integration, connectionStatus, entry) };
}

/** Keys of the entries that the consumer has loaded from the file; undefined if `body` is not a status response. */
export function keysFromFile(body: string): string[] | undefined {
  return integrationsIn(body)?.flatMap(({ key, source }) =>
    key !== undefined && source === 'multicloud' ? [key] : [],
  );
}

function decide(integration: Integration, status: string, entry: IntegrationEntry): ConnectionDecision {
  const { active, valid, coverage } = integration;
  if (valid === false) return invalid('it reported the entry as invalid when it loaded the file');
  if (active === false) return notTakenUp('the entry is switched off in its settings');
  if (!isCurrent(integration, entry)) return notTakenUp('it still has an older version of the entry');
  const known = statuses.get(status);
  if (known === 'proven') return { verdict: 'proven', dataSince: firstDay(coverage ?? '') };
  return known ?? (status === '' ? firstQuery : unknown(status));
}

function unknown(status: string): ConnectionDecision {
  return { verdict: 'pending', pendingFor: `a known status (it reports "${status.slice(0, 60)}")` };
}

function integrationsIn(body: string): Integration[] | undefined {
  try {
    const { success, data: status } = Status.safeParse(JSON.parse(body));
    return success ? (status.data?.flatMap((item) => Integration.safeParse(item).data ?? []) ?? []) : undefined;
  } catch {
    return undefined;
  }
}

/** False if the consumer has an older configuration of this key. Fields that it does not show are not compared. */
function isCurrent({ config }: Integration, entry: IntegrationEntry): boolean {
  const shown: [unknown, string][] = [
    [config?.['region'], entry.athenaRegion],
    [config?.['database'], entry.athenaDatabase],
    [config?.['table'], entry.athenaTable],
    [config?.['workgroup'] || undefined, entry.athenaWorkgroup],
    [config?.authorizer?.roleARN, entry.payerRoleArn],
  ];
  return shown.every(([value, wanted]) => value === undefined || value === wanted);
}

function firstDay(coverage: string): string | null {
  return /^\[(\d{4}-\d{2}-\d{2})T/.exec(coverage)?.[1] ?? null;
}
