import type { ErrorCode } from '../errors/catalogue.ts';
import { adviceFor, classify, type ErrorName } from '../errors/errors.ts';
import { type ProblemDocument, problemStatus, RequestRefusal } from '../errors/request-refusal.ts';

/** Any thrown value as a problem document. Only a refusal shows its details; details of other errors are in the log. */
export function problemFor(thrown: unknown, instance: string, requestId: string): ProblemDocument {
  if (thrown instanceof RequestRefusal) {
    const { errors, links } = thrown;
    return {
      ...problem(thrown.code, thrown.status, thrown.message, instance),
      ...(errors && { errors: [...errors] }),
      ...(links && { links }),
    };
  }
  const { code, name } = classify(thrown);
  const shown = shownCode(name, code);
  const detail = `The request failed. The log has the reason under the request id ${requestId}.`;
  return problem(shown, problemStatus[shown], detail, instance);
}

function shownCode(
  name: ErrorName,
  code: ErrorCode,
): 'throttled' | 'aws-unavailable' | 'record-unreadable' | 'unexpected' {
  if (name === 'RetryableError') return code === 'throttled' ? code : 'aws-unavailable';
  return code === 'record-unreadable' ? code : 'unexpected';
}

function problem(code: ErrorCode, status: number, detail: string, instance: string): ProblemDocument {
  const { title, actor, remedy } = adviceFor(code);
  return { type: `/docs#error-${code}`, title, status, detail, code, instance, actor, remedy };
}
