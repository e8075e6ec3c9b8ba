import type { ErrorCode } from '../errors/catalogue.ts';
import { entryKey, type IntegrationEntry } from '../integration-file/merge.ts';

/** What the consumer's words come to, for one entry. */
export type Judgement =
  | { verdict: 'proven'; dataSince: string | null }
  /** For what, and how long that normally takes. */
  | { verdict: 'pending'; pendingFor: string }
  /** Pending too, until it has lasted for `lastsSeconds`: mounted files, credentials and IAM settle late. */
  | {
      verdict: 'failing';
      pendingFor: string;
      code: ErrorCode;
      cause: string;
      lastsSeconds: number;
      /** True where it was a query that failed, which the consumer repeats. */
      query: boolean;
    };

/** A status about one entry. */
export interface Told {
  /** The consumer's word; null if it does not know the entry. */
  status: string | null;
  judgement: Judgement;
}

/** One integration of `GET /cloudCost/status` (opencost pkg/cloudcost/status.go); older versions lack fields. */
interface Integration {
  key?: string;
  source?: string;
  active?: boolean;
  valid?: boolean;
  connectionStatus?: string;
  /** `[<start>, <end>)`, both ISO 8601. */
  coverage?: string | null;
  config?: ({ authorizer?: { roleARN?: string } | null } & Record<string, unknown>) | null;
}

/** The kubelet refreshes a mounted secret within about two minutes, and the consumer looks every 10 s. */
export const takenUpSeconds = 180;
/** A window of seven days takes some 20 s: half a dozen have been tried by then, with credentials that had the time to settle. */
const settledSeconds = 300;
const settling = 'a query of the consumer to succeed, normally within 5 minutes once IAM and credentials have settled';

const takingUp = 'the consumer to take the entry up, normally within 2 minutes';

export function notTakenUp(cause: string): Judgement {
  return {
    verdict: 'failing',
    pendingFor: takingUp,
    code: 'consumer-not-reading',
    cause,
    lastsSeconds: takenUpSeconds,
    query: false,
  };
}

function invalid(cause: string): Judgement {
  const code = 'consumer-refuses-entry';
  return { verdict: 'failing', pendingFor: takingUp, code, cause, lastsSeconds: 0, query: false };
}

/** @param lasting true where waiting does not help */
export function failing(cause: string, code: ErrorCode = 'connection-failed', lasting = false): Judgement {
  const lastsSeconds = lasting ? 0 : settledSeconds;
  return { verdict: 'failing', pendingFor: settling, code, cause, lastsSeconds, query: true };
}

export const firstQuery: Judgement = {
  verdict: 'pending',
  pendingFor: 'the consumer’s first query, normally within a minute',
};

const failed = failing('its queries fail');

const noRows: Judgement = {
  verdict: 'failing',
  pendingFor: 'the first rows, normally within 24 hours of the report’s creation and at most 48',
  code: 'connection-data-missing',
  cause: 'its queries return no rows',
  lastsSeconds: 2 * settledSeconds,
  query: true,
};

const incomplete = invalid('it finds the entry’s configuration invalid');

const unreadable = failing('it cannot read Athena’s answer', 'connection-failed', true);

/** Every status of opencost's pkg/cloud/connectionstatus.go; in capitals, as Kubecost's older documents have them. */
const statuses = new Map<string, Judgement | 'proven'>([
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
 * Where the consumer tells its status, through the API server's service proxy. The only path ever asked for there: some of its
 * neighbours (rebuild, repair, enable, disable) change things on a GET.
 * @param statusService `http:<name>:<port>`; 9090 is the front end, which passes `/model` on
 */
export function statusPath(namespace: string, statusService: string): string {
  return `/api/v1/namespaces/${namespace}/services/${statusService}/proxy${statusRoute(statusService)}`;
}

/** Its path on the service itself. */
export function statusRoute(statusService: string): string {
  return `${statusService.endsWith(':9090') ? '/model' : ''}/cloudCost/status`;
}

/** Undefined if this is no such answer: a login page, say. */
export function readStatus(body: string, entry: IntegrationEntry): Told | undefined {
  const integrations = integrationsIn(body);
  if (!integrations) return undefined;
  const key = entryKey(entry);
  const same = integrations.filter((integration) => integration.key === key);
  const integration = same.find(({ source }) => source === 'multicloud');
  if (!integration) {
    const cause =
      same.length > 0
        ? 'it has the same integration from another source, not from the file'
        : 'it does not list the entry: the file was not found or not accepted';
    return { status: null, judgement: notTakenUp(cause) };
  }
  const { connectionStatus = '' } = integration;
  return { status: connectionStatus, judgement: judge(integration, connectionStatus, entry) };
}

/** Keys of what the consumer has from the file; undefined if this is no such answer. */
export function keysFromFile(body: string): string[] | undefined {
  return integrationsIn(body)?.flatMap(({ key, source }) =>
    key !== undefined && source === 'multicloud' ? [key] : [],
  );
}

function judge(integration: Integration, status: string, entry: IntegrationEntry): Judgement {
  const { active, valid, coverage } = integration;
  if (valid === false) return invalid('it found the entry invalid when it loaded the file');
  if (active === false) return notTakenUp('the integration is switched off in its settings');
  if (!isCurrent(integration, entry)) return notTakenUp('it still has an older form of the entry');
  const known = statuses.get(status);
  if (known === 'proven') return { verdict: 'proven', dataSince: firstDay(coverage ?? '') };
  return known ?? (status === '' ? firstQuery : unknown(status));
}

function unknown(status: string): Judgement {
  return { verdict: 'pending', pendingFor: `a status we know; it says "${status.slice(0, 60)}"` };
}

function integrationsIn(body: string): Integration[] | undefined {
  try {
    const answer = JSON.parse(body) as { code?: unknown; data?: unknown } | null;
    const data = answer?.data ?? [];
    return answer?.code === 200 && Array.isArray(data) ? (data.filter(Boolean) as Integration[]) : undefined;
  } catch {
    return undefined;
  }
}

/** False if the consumer's configuration is one that the file held under this key before; fields it does not show are not missed. */
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
