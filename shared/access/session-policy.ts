import { listOf, type PolicyDocument, type Statement } from '../aws/policy-document.ts';

/** STS accepts inline session policies up to this length. */
const maxCharacters = 2048;

/**
 * A policy as a session policy, shortened without a change of what our role may do under it; undefined if STS would not accept it.
 * - Sids mean nothing.
 * - Our role may use Athena and Glue of its own account only, so their ARNs need no account id.
 * - Earlier steps have read the buckets as this account's own, so their conditions are left out where the rest is still too long.
 */
export function sessionPolicyOf({ Version, Statement: statements }: PolicyDocument): string | undefined {
  const short = statements.map(withoutNames);
  const shortest = short.map(({ Effect, Action, Resource }) => ({ Effect, Action, Resource }));
  const texts = [short, shortest].map((Statement) => JSON.stringify({ Version, Statement }));
  return texts.find(({ length }) => length <= maxCharacters);
}

/** Why a policy of this length gives no session; the text continues "the query ran with our role's own rights:". */
export function tooLong(policy: PolicyDocument): string {
  const { length } = JSON.stringify(policy);
  return `the payer role’s policy has ${length} characters, and STS accepts ${maxCharacters} in a session policy`;
}

function withoutNames({ Effect, Action, Resource, Condition }: Statement) {
  return { Effect, Action, Resource: listOf(Resource).map(withoutAccount), Condition };
}

function withoutAccount(arn: string): string {
  return arn.replace(/^(arn:aws:(?:athena|glue):[^:]*):\d{12}:/, '$1:*:');
}
