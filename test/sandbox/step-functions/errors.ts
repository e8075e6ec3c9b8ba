/** A failure inside an execution, by the name that `ErrorEquals` matches. An invoker may throw one to choose name and cause itself. */
export class StatesError extends Error {
  /** Absent where SendTaskFailure or a Fail state gives none. */
  readonly error: string | undefined;
  /** Absent where SendTaskFailure or a Fail state gives none, and after a timeout. */
  readonly detail: string | undefined;
  /** Another name that `ErrorEquals` matches. */
  readonly alias: string | undefined;

  constructor(error: string | undefined, detail?: string, alias?: string) {
    super(detail ?? error);
    this.name = error ?? 'StatesError';
    this.error = error;
    this.detail = detail;
    this.alias = alias;
  }

  /** In AWS, the cause of a `States.Runtime` starts with the state in which it happened. */
  located = false;

  locate(where: string): StatesError {
    const located = new StatesError(this.error, `${where} ${this.detail ?? ''}`);
    located.located = true;
    return located;
  }
}

/**
 * A task over one of its two timers. History says `States.Timeout` for both; only `ErrorEquals` knows `States.HeartbeatTimeout`
 * (recorded from AWS; states-language issue 25).
 */
export function timeoutError(timer: 'TimeoutSeconds' | 'HeartbeatSeconds'): StatesError {
  return new StatesError(
    'States.Timeout',
    undefined,
    timer === 'HeartbeatSeconds' ? 'States.HeartbeatTimeout' : undefined,
  );
}

/** What a catcher gets: of a timeout an empty cause, of any other absent part null (both recorded from AWS). */
export function caughtOutput({ error, detail }: StatesError): { Error: string | null; Cause: string | null } {
  return { Error: error ?? null, Cause: detail ?? (error === 'States.Timeout' ? '' : null) };
}

export function runtimeError(detail: string): StatesError {
  return new StatesError('States.Runtime', detail);
}

/**
 * `States.ALL` catches everything but `States.Runtime`; it catches `States.DataLimitExceeded`, contrary to the manual (recorded from
 * AWS). `States.TaskFailed` matches errors of functions, not errors of Step Functions itself such as a timeout.
 */
export function matches(errorEquals: readonly string[], { error, alias }: StatesError): boolean {
  return errorEquals.some((name) => {
    if (name === error || name === alias) return true;
    if (name === 'States.ALL') return error !== 'States.Runtime';
    return name === 'States.TaskFailed' && !error?.startsWith('States.');
  });
}

/** A function's error as Lambda reports it to Step Functions: the cause is a JSON text. */
export function taskError(thrown: unknown): StatesError {
  if (thrown instanceof StatesError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const trace = (error.stack ?? '').split('\n');
  return new StatesError(error.name, JSON.stringify({ errorType: error.name, errorMessage: error.message, trace }));
}
