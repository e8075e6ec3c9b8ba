import { type ConnectionDecision, failing, firstQuery, notTakenUp } from './connection-status.ts';
import { explained, symptomOf } from './query-symptoms.ts';

/** What a log shows about one key. Lines about other keys are ignored. */
export interface ConnectionLog {
  /** The latest event: a query window was built or failed, or the consumer created or deleted the integration. */
  latest: 'nothing' | 'created' | 'built' | 'failed' | 'deleted';
  /** The error of the latest query, as the consumer logs it. */
  failure: string | undefined;
  /** True if the consumer could not load the file and has not created the integration since then. */
  fileRejected: boolean;
  /** First day of the earliest window that was built, `YYYY-MM-DD`. */
  builtBackTo: string | null;
}

const mostCharacters = 300;

/**
 * Reads the lines of opencost's pkg/cloudcost (ingestor.go, ingestionmanager.go) and pkg/cloud/config/watcher.go, and of Kubecost up to
 * 1.104 the `ETL: CloudUsage[...]: ... (7.7 complete)` ones. The ERR lines of older releases about reserved instances and savings plans
 * ("no reservation data available in Athena", "athena configuration incomplete") name no integration and are not about the file
 * (opencost#3530), so we ignore them. We also ignore "failed to load range from back up" of a first start, and "MultiCloudConfig: error
 * converting", which is about an entry without any value: the other entries load.
 */
export function readLog(text: string, key: string): ConnectionLog {
  const found: ConnectionLog = { latest: 'nothing', failure: undefined, fileRejected: false, builtBackTo: null };
  const mark = `[${key}]: `;
  const failedWindows = new Set<string>();
  for (const line of text.split('\n').map((one) => one.trimEnd())) {
    if (line.includes('MultiCloudWatcher: Error getting file')) found.fileRejected = true;
    const integration = /IngestionManager: (creating|deleting) integration with key: (.*)$/.exec(line);
    if (integration?.[2] === key) {
      found.latest = integration[1] === 'creating' ? 'created' : 'deleted';
      found.failure = undefined;
      if (integration[1] === 'creating') found.fileRejected = false;
      failedWindows.clear();
    }
    const at = line.indexOf(mark);
    if (at < 0) continue;
    const said = line.slice(at + mark.length);
    const tried = /ingestor: building window (\[[^)\]]*)/.exec(said);
    if (tried) failedWindows.delete(tried[1] ?? '');
    const failure = /build failed for window (\[[^)\]]*)[)\]]: (.*)$/.exec(said);
    if (failure) {
      failedWindows.add(failure[1] ?? '');
      found.latest = 'failed';
      found.failure = (failure[2] ?? '').slice(0, mostCharacters);
      continue;
    }
    const built =
      /build\[\w+\]: +(\[(\d{4}-\d{2}-\d{2})[^)\]]*)[)\]] in /.exec(said) ??
      /Build\[\w+\]: +coverage (\[(\d{4}-\d{2}-\d{2})[^)\]]*)[)\]] \([\d.]+ complete\)/.exec(said);
    // The consumer logs the end of a window after a failed window too.
    if (!built || failedWindows.has(built[1] ?? '')) continue;
    found.latest = 'built';
    found.failure = undefined;
    const [, , day = ''] = built;
    if (found.builtBackTo === null || day < found.builtBackTo) found.builtBackTo = day;
  }
  return found;
}

/** Our decision from the log alone. `proven` means that the consumer's query succeeded; the log has no number of rows. */
export function decideFromLog({ latest, failure, fileRejected, builtBackTo }: ConnectionLog): ConnectionDecision {
  if (fileRejected)
    return notTakenUp('it rejects the whole file (its log has "MultiCloudWatcher: Error getting file")');
  switch (latest) {
    case 'built':
      return { verdict: 'proven', dataSince: builtBackTo };
    case 'failed':
      return failingQuery(failure ?? '');
    case 'created':
      return firstQuery;
    case 'deleted':
      return notTakenUp('it removed the entry again');
    case 'nothing':
      return notTakenUp('its log does not name the entry');
  }
}

/** @param failure the error of its query for this key, as the consumer logs it */
export function failingQuery(failure: string): ConnectionDecision {
  const symptom = symptomOf(failure);
  return failing(explained(failure), symptom?.code, symptom?.lasting);
}
