import type { ErrorCode } from '../errors/catalogue.ts';
import { UserError } from '../errors/errors.ts';
import { log } from '../platform/logger.ts';

/**
 * What an error of PutReportDefinition means. `exists`: a report of this name was created since the last observation.
 * `bucket-not-seen`: AWS does not see its permission in the bucket's policy yet. Undefined: nothing that is special to this call.
 */
export function creationRefusal(error: unknown): 'exists' | 'bucket-not-seen' | UserError | undefined {
  if (!(error instanceof Error)) return undefined;
  const meaning = meaningOf(error);
  const { name: code, message: detail } = error;
  log('AWS refuses a report', { code, detail, meaning: typeof meaning === 'object' ? meaning.code : meaning });
  return meaning;
}

function meaningOf(error: Error): ReturnType<typeof creationRefusal> {
  const refused = (code: ErrorCode) =>
    new UserError(code, `AWS answers ${error.name}: ${error.message}`, { cause: error });
  if (error.name === 'DuplicateReportNameException') return 'exists';
  if (error.name === 'ReportLimitReachedException') return refused('report-limit-reached');
  if (closedToAccount.test(error.name)) return refused('report-not-allowed');
  // The words of IAM are known, those of a refused payer are not.
  if (['AccessDeniedException', 'AccessDenied'].includes(error.name))
    return /not authorized to perform: cur:/.test(error.message) ? undefined : refused('report-not-allowed');
  if (error.name !== 'ValidationException') return undefined;
  if (/failed to satisfy constraint|reportDefinition\./i.test(error.message))
    return refused('report-arguments-rejected');
  if (isWithoutText(error) || aboutBucket.test(error.message)) return 'bucket-not-seen';
  return refused(aboutAccount.test(error.message) ? 'report-not-allowed' : 'report-arguments-rejected');
}

/** Codes that AWS's services have for accounts which may not use a feature; CUR documents none. */
const closedToAccount = /^(OptIn|Subscription|NotSubscribed|Unsupported|OperationNotPermitted|NotEligible|Forbidden)/;

/** "Failed to verify customer bucket permission." is the only text that users have reported. AWS may see a new bucket late, too. */
const aboutBucket =
  /bucket.*(permission|polic|access)|(permission|polic|access).*bucket|bucket.*(not exist|n[o']t (be )?found)|NoSuchBucket/i;

const aboutAccount =
  /\b(accounts?|payers?|customers?|organi[sz]ation|billing transfer|not (allowed|permitted|eligible|supported))\b/i;

/**
 * The same cause as "Failed to verify customer bucket permission" for some users (terraform-provider-aws#34391, #36086). The settings
 * of a report are constant here, so no wrong combination of them can be the reason. The SDK calls a missing text UnknownError.
 */
function isWithoutText({ message }: Error): boolean {
  return ['', 'UnknownError', 'Unknown', 'null', 'undefined'].includes(message.trim());
}
