import { describe, expect, it } from 'vitest';
import { inspectCrawlerTemplate, isRetiredRuntime } from '../../shared/billing/crawler-template.ts';
import { crawlerTemplate, type ReportDefinition } from '../sandbox/index.ts';

const report = { reportName: 'Team-CUR', bucket: 'acme-billing', prefix: 'cur/daily' };
const definition = { ReportName: 'Team-CUR', S3Bucket: 'acme-billing', S3Prefix: 'cur/daily' } as ReportDefinition;
const asDelivered = crawlerTemplate(definition, 'nodejs22.x');

/** The delivered template with one change in it. */
function changed(from: string | RegExp, to: string): string {
  const body = asDelivered.replace(from, to);
  expect(body).not.toBe(asDelivered);
  return body;
}

describe('the crawler template', () => {
  it('is trusted as AWS delivers it', () => {
    expect(inspectCrawlerTemplate(asDelivered, report)).toEqual({
      trusted: true,
      database: 'athenacurcfn_team_c_u_r',
      crawlerName: 'AWSCURCrawler-Team-CUR',
      runtimes: ['nodejs22.x', 'nodejs22.x'],
      reservedConcurrency: 2,
    });
  });

  it('is trusted with the ARNs of AWS’s older templates', () => {
    const older = asDelivered.replaceAll("!Sub 'arn:${AWS::Partition}:", "'arn:aws:");
    expect(inspectCrawlerTemplate(older, report).trusted).toBe(true);
  });

  it('is trusted with other code in its functions', () => {
    const body = changed('return answer.send(event, context, answer.SUCCESS);', 'return 42;');
    expect(inspectCrawlerTemplate(body, report).trusted).toBe(true);
  });

  it.each<[string, string]>([
    ['has a twelfth resource', `${asDelivered}\n  Extra:\n    Type: 'AWS::IAM::User'\n    Properties: {}\n`],
    ['lacks its crawler', changed(/ {2}AWSCURCrawler:\n[\s\S]*?\n\n(?= {2}AWSCURInitializer)/, '')],
    [
      'never starts its crawler',
      changed(/ {2}AWSS3CUREventLambdaPermission:\n[\s\S]*?\n\n/, '').replace(
        / {4}- AWSS3CUREventLambdaPermission\n/,
        '',
      ),
    ],
    ['exports an output', `${asDelivered}\nOutputs:\n  A:\n    Value: !Ref AWSCURDatabase\n    Export: {Name: a}\n`],
    ['contains a macro', `Transform: Evil\n${asDelivered}`],
    ['gives a role more rights', changed("'glue:StartCrawler'", "'iam:*'")],
    [
      'allows a role to read other buckets',
      changed('arn:${AWS::Partition}:s3:::acme-billing/cur/daily/Team-CUR/Team-CUR*', '*'),
    ],
    ['allows another service to assume a role', changed('- glue.amazonaws.com', '- ec2.amazonaws.com')],
    ['attaches another managed policy', changed('service-role/AWSGlueServiceRole', 'AdministratorAccess')],
    [
      'gives a function another role',
      changed('!GetAtt AWSS3CURLambdaExecutor.Arn', "'arn:aws:iam::111122223333:role/admin'"),
    ],
    ['gives a function a layer', changed("Handler: 'index.handler'", "Handler: 'index.handler'\n      Layers: [x]")],
    ['crawls another location', changed("Path: 's3://acme-billing/", "Path: 's3://elsewhere/")],
    ['names another bucket for the notification', changed("BucketName: 'acme-billing'", "BucketName: 'elsewhere'")],
    ['names another report’s database', changed("Name: 'athenacurcfn_team_c_u_r'", "Name: 'athenacurcfn_finance'")],
    ['names another crawler', changed('Name: AWSCURCrawler-Team-CUR', 'Name: nightly')],
    ['allows everybody to invoke the function', changed("'s3.amazonaws.com'", "'*'")],
    ['uses YAML aliases', changed('Path: /', 'Path: &a /').replace('Path: /', 'Path: *a')],
    ['uses an unknown template function', changed('!Ref AWS::AccountId', '!ImportValue other')],
    ['repeats a key', `${asDelivered}\nResources: {}\n`],
    ['is not YAML', '{'],
    ['is too large', `${asDelivered}\n#${'x'.repeat(51_200)}`],
  ])('is refused if it %s', (_, body) => {
    expect(inspectCrawlerTemplate(body, report)).toMatchObject({ trusted: false });
  });

  it('is refused with the name of the changed resource', () => {
    expect(inspectCrawlerTemplate(changed("'glue:StartCrawler'", "'iam:*'"), report)).toMatchObject({
      reason: expect.stringContaining('AWSCURCrawlerLambdaExecutor') as string,
    });
  });

  it('is not trusted if it belongs to another report', () => {
    expect(inspectCrawlerTemplate(asDelivered, { ...report, reportName: 'other' }).trusted).toBe(false);
  });
});

describe('the Lambda runtime', () => {
  it.each(['nodejs', 'nodejs8.10', 'nodejs12.x', 'nodejs16.x', 'nodejs18.x', 'python3.8'])(
    '%s is retired',
    (runtime) => {
      expect(isRetiredRuntime(runtime)).toBe(true);
    },
  );
  it.each(['nodejs20.x', 'nodejs22.x', 'nodejs24.x', 'nodejs100.x', 'python3.13'])('%s is not retired', (runtime) => {
    expect(isRetiredRuntime(runtime)).toBe(false);
  });
});
