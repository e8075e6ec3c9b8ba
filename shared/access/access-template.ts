/** What the owner of an account grants us: the version and the parameters of the access template that made our role there. */
import { ListRoleTagsCommand } from '@aws-sdk/client-iam';
import { iamOf, parseRoleArn } from '../aws/role.ts';
import { fromTagList } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Permission } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';

/** The version of the templates of this release. A role without the tags has the template of release 0.3.0, which counts as version 0. */
export const accessVersion = 1;

export const versionTag = 'access-version';

export function parameterTag(name: string): string {
  return `access:${name}`;
}

/** IAM allows no `*` in the value of a tag. No parameter may hold this character. */
export const wildcardInTags = '@';

/** Parameter KmsKeys may name so many keys; each has its own tag, because a tag's value has at most 256 characters. */
export const maxKeys = 6;

/** Null in a run whose preflight release 0.3.0 made, and in a dry run without access to the account. */
export type Access = Outputs['preflight']['access'];

export const readAccessPermission: Permission = {
  actions: ['iam:ListRoleTags'],
  resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role${ProvisionerPath}${ProvisionerName}'],
};

/** Version 0 for a role without the tags, or one that may not read them: its template is that of release 0.3.0. */
export async function readAccess(account: TargetAccount): Promise<NonNullable<Access>> {
  const { name: RoleName } = parseRoleArn(account.provisionerArn);
  const answer = await absentIf(['AccessDenied', 'AccessDeniedException'], () =>
    iamOf(account).send(new ListRoleTagsCommand({ RoleName })),
  );
  const tags = Object.entries(fromTagList(answer?.Tags));
  const version = Number(tags.find(([key]) => key === versionTag)?.[1] ?? 0);
  const prefix = parameterTag('');
  const parameters = tags
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => [key.slice(prefix.length), value.replaceAll(wildcardInTags, '*')] as const);
  return { version: Number.isInteger(version) ? version : 0, parameters: Object.fromEntries(parameters) };
}

/** What the role may do with crawlers. `full`: deploy AWS's template. `remove`: only remove what runs deployed. */
export function crawlerGrant(access: Access): 'none' | 'remove' | 'full' {
  const granted = access?.parameters.Crawler;
  return granted === 'none' || granted === 'remove' ? granted : 'full';
}

/** Names that a parameter of the templates limits. */
export type NameParameter =
  'CurBucket' | 'AthenaResultsBucket' | 'AthenaWorkgroup' | 'PayerRole' | 'Cluster' | 'PodRole';

/** Whether the parameter covers the name; undefined if the template is too old to say. */
export function covers(access: Access, parameter: NameParameter, name: string): boolean | undefined {
  const pattern = access?.parameters[parameter];
  return pattern === undefined ? undefined : like(pattern, name);
}

/** Whether our role may read the bucket of a report. */
export function coversBucket(access: Access, bucket: string): boolean | undefined {
  return covers(access, 'CurBucket', bucket);
}

/** ARNs of the keys that the role may use; undefined if the template is too old to grant any. */
export function grantedKeys(access: Access): string[] | undefined {
  if (!access || access.version < 1) return undefined;
  const values = Array.from({ length: maxKeys }, (_, index) => access.parameters[`KmsKeys${index + 1}`] ?? 'none');
  return values.filter((value) => value !== 'none');
}

/** The problem if the template is older than what a step needs of it; undefined if it is new enough. */
export function tooOldFor(access: Access, what: string, needed: number): Problem | undefined {
  const version = access?.version ?? 0;
  if (version >= needed) return undefined;
  return { code: 'access-template-too-old', detail: `template too old for ${what}, needs version ${needed}` };
}

/** @param why what the parameter does not cover yet */
export function parameterProblem(parameter: string, value: string, why: string): Problem {
  return { code: 'access-parameter-differs', detail: `${why}: set parameter ${parameter} to ${value}` };
}

/** `*` in a parameter stands for any characters, as in IAM. */
function like(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+^${}()|[\]\\?]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}
