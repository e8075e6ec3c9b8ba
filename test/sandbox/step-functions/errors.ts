/** A failure inside an execution, by the name that `ErrorEquals` matches. An invoker may throw one to choose name and cause itself. */
export class StatesError extends Error {
  readonly error: string;
  /** Absent only where a Fail state gives none. */
  readonly detail: string | undefined;

  constructor(error: string, detail?: string) {
    super(detail ?? error);
    this.name = error;
    this.error = error;
    this.detail = detail;
  }

  /** In AWS, the cause of a `States.Runtime` starts with the state in which it happened. */
  located = false;

  locate(where: string): StatesError {
    const located = new StatesError(this.error, `${where} ${this.detail ?? ''}`);
    located.located = true;
    return located;
  }
}

export function runtimeError(detail: string): StatesError {
  return new StatesError('States.Runtime', detail);
}

/**
 * `States.ALL` catches everything but `States.Runtime`; it catches `States.DataLimitExceeded`, contrary to the manual (recorded from
 * AWS). `States.TaskFailed` matches errors of functions, not errors of Step Functions itself such as a timeout.
 */
export function matches(errorEquals: readonly string[], error: string): boolean {
  return errorEquals.some((name) => {
    if (name === error) return true;
    if (name === 'States.ALL') return error !== 'States.Runtime';
    return name === 'States.TaskFailed' && !error.startsWith('States.');
  });
}

/** A function's error as Lambda reports it to Step Functions: the cause is a JSON text. */
export function taskError(thrown: unknown): StatesError {
  if (thrown instanceof StatesError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const trace = (error.stack ?? '').split('\n');
  return new StatesError(error.name, JSON.stringify({ errorType: error.name, errorMessage: error.message, trace }));
}
