import { GetDataCatalogEncryptionSettingsCommand, GlueClient } from '@aws-sdk/client-glue';
import { GetDataLakeSettingsCommand, LakeFormationClient } from '@aws-sdk/client-lakeformation';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  DescribeOrganizationCommand,
  ListInboundResponsibilityTransfersCommand,
  ListOutboundResponsibilityTransfersCommand,
  OrganizationsClient,
} from '@aws-sdk/client-organizations';
import type { FactList } from './fact-list.ts';
import type { ProbedAccount } from './probed-account.ts';

const topic = 'Account';

/** What kind of payer it is, and whether it may probably have a new report. */
export async function readAccountFacts(account: ProbedAccount, facts: FactList): Promise<void> {
  const organizations = account.client(OrganizationsClient, 'us-east-1');
  const ofBilling = { Type: 'BILLING' } as const;
  await facts.ask(
    topic,
    'organisation',
    () => organizations.send(new DescribeOrganizationCommand({})),
    ({ Organization }) => ({
      role: Organization?.MasterAccountId === account.accountId ? 'management account' : 'member account',
      features: Organization?.FeatureSet,
    }),
  );
  for (const [name, command] of [
    ['billing transfers to others', new ListOutboundResponsibilityTransfersCommand(ofBilling)],
    ['billing transfers from others', new ListInboundResponsibilityTransfersCommand(ofBilling)],
  ] as const)
    await facts.ask(
      topic,
      name,
      () => organizations.send(command),
      ({ ResponsibilityTransfers = [] }) =>
        ResponsibilityTransfers.map(({ Status, StartTimestamp, EndTimestamp }) => ({
          Status,
          StartTimestamp,
          EndTimestamp,
        })),
    );
}

/** What decides in a region about crawler, table and query. */
export async function readRegionFacts(account: ProbedAccount, region: string, facts: FactList): Promise<void> {
  const place = `Region ${region}`;
  await facts.ask(
    place,
    'GetDataCatalogEncryptionSettings',
    () => account.client(GlueClient, region).send(new GetDataCatalogEncryptionSettingsCommand({})),
    ({ DataCatalogEncryptionSettings }) => DataCatalogEncryptionSettings,
  );
  await facts.ask(
    place,
    'Lake Formation defaults',
    () => account.client(LakeFormationClient, region).send(new GetDataLakeSettingsCommand({})),
    ({ DataLakeSettings }) => ({
      newDatabases: DataLakeSettings?.CreateDatabaseDefaultPermissions,
      newTables: DataLakeSettings?.CreateTableDefaultPermissions,
    }),
  );
  await facts.ask(
    place,
    'Lambda limits',
    () => account.client(LambdaClient, region).send(new GetAccountSettingsCommand({})),
    ({ AccountLimit }) => ({
      concurrent: AccountLimit?.ConcurrentExecutions,
      unreserved: AccountLimit?.UnreservedConcurrentExecutions,
    }),
  );
}
