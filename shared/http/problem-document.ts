import type { ErrorCode } from '../errors/catalogue.ts';
import { adviceFor, classify, type ErrorName } from '../errors/errors.ts';
import { type Problem, problemStatus, Refusal } from '../errors/problem.ts';

/** Any thrown value as a problem document. What is not a refusal names no detail of ours: that is in the log. */
export function problemFor(thrown: unknown, instance: string, requestId: string): Problem {
  if (thrown instanceof Refusal) {
    const { errors, links } = thrown;
    return {
      ...problem(thrown.code, thrown.status, thrown.message, instance),
      ...(errors && { errors: [...errors] }),
      ...(links && { links }),
    };
  }
  const { code, name } = classify(thrown);
  const shown = shownCode(name, code);
  const detail = `The request could not be served; the log has the reason under request id ${requestId}.`;
  return problem(shown, problemStatus[shown], detail, instance);
}

function shownCode(
  name: ErrorName,
  code: ErrorCode,
): 'throttled' | 'aws-unavailable' | 'record-unreadable' | 'unexpected' {
  if (name === 'RetryableError') return code === 'throttled' ? code : 'aws-unavailable';
  return code === 'record-unreadable' ? code : 'unexpected';
}

function problem(code: ErrorCode, status: number, detail: string, instance: string): Problem {
  const { title, actor, remedy } = adviceFor(code);
  return { type: `/docs#error-${code}`, title, status, detail, code, instance, actor, remedy };
}
