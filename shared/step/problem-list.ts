import type { TargetAccount } from '../aws/target-account.ts';
import type { ErrorCode } from '../errors/catalogue.ts';
import { isAwsError, isKnownError } from '../errors/errors.ts';

export interface Problem {
  code: ErrorCode;
  detail: string;
}

/** Collects all problems, so that one refusal lists them. */
export class ProblemList {
  readonly problems: Problem[] = [];
  readonly warnings: string[] = [];

  add(code: ErrorCode, detail: string): void {
    this.problems.push({ code, detail });
  }

  /** Runs a check; a denial is a problem like others, so that the next checks still run. */
  async look<T>(read: () => Promise<T>, deniedCode: ErrorCode = 'access-denied'): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (isAwsError(error, 'AccessDenied', 'AccessDeniedException')) this.add(deniedCode, error.message);
      // AWS answers this for a region that the account has not enabled.
      else if (isAwsError(error, 'UnrecognizedClientException', 'InvalidClientTokenId'))
        this.add('region-not-supported', `the account has not enabled it: ${error.message}`);
      else throw error;
      return undefined;
    }
  }

  /** Runs the check only if we can assume our role in the account. */
  async enter<T>(account: TargetAccount, check: () => Promise<T>): Promise<T | undefined> {
    try {
      await account.credentials();
    } catch (error) {
      if (!isKnownError(error) || error.name !== 'UserError') throw error;
      this.add(error.code, error.message);
      return undefined;
    }
    return check();
  }
}

/** One problem as it is, several as a list; undefined if there is none. */
export function asOneProblem(problems: readonly Problem[]): Problem | undefined {
  const [first, ...others] = problems.toSorted((a, b) => (a.code < b.code ? -1 : 1));
  if (!first || others.length === 0) return first;
  const detail = [first, ...others].map(({ code, detail }) => `${code}: ${detail}`).join('; ');
  return { code: 'preflight-failed', detail };
}
