/** Code of the two functions of AWS's template. It has the shape and effect of AWS's, in other words. */

/** Node 16 has the second SDK, later runtimes the third; since Node 20 without callbacks. */
type Style = 'old-sdk' | 'callbacks' | 'promises';

function styleOf(runtime: string): Style {
  const major = Number(/^nodejs(\d+)/.exec(runtime)?.[1] ?? 22);
  if (major < 18) return 'old-sdk';
  return major < 20 ? 'callbacks' : 'promises';
}

/** Indents the code as the folded text of a template. */
function folded(code: string): string {
  return code.trim().split('\n').join('\n          ');
}

export function starterCode(runtime: string, crawler: string): string {
  const call = {
    'old-sdk': `new AWS.Glue().startCrawler({ Name: '${crawler}' }, done);`,
    callbacks: `const input = { Name: '${crawler}' };
  new GlueClient().send(new StartCrawlerCommand(input), done);`,
  };
  const style = styleOf(runtime);
  if (style === 'promises')
    return folded(`
const { GlueClient, StartCrawlerCommand } = require('@aws-sdk/client-glue');
const answer = require('./cfn-response');
exports.handler = async function (event, context) {
  if (event.RequestType === 'Delete') return answer.send(event, context, answer.SUCCESS);
  try {
    await new GlueClient().send(new StartCrawlerCommand({ Name: '${crawler}' }));
  } catch (error) {
    if (error.name === 'CrawlerRunningException') return error.message;
    if (event.ResponseURL) return answer.send(event, context, answer.FAILED, { msg: error.message });
    throw error;
  }
  if (event.ResponseURL) return answer.send(event, context, answer.SUCCESS);
};`);
  return folded(`
${style === 'old-sdk' ? "const AWS = require('aws-sdk');" : "const { GlueClient, StartCrawlerCommand } = require('@aws-sdk/client-glue');"}
const answer = require('./cfn-response');
exports.handler = function (event, context, callback) {
  if (event.RequestType === 'Delete') return answer.send(event, context, answer.SUCCESS);
  const done = (error) => {
    if (error && error.name === 'CrawlerRunningException') return callback(null, error.message);
    if (event.ResponseURL) return answer.send(event, context, error ? answer.FAILED : answer.SUCCESS);
    callback(error);
  };
  ${call[style]}
};`);
}

export function notifierCode(runtime: string): string {
  const style = styleOf(runtime);
  const loaded =
    style === 'old-sdk'
      ? "const AWS = require('aws-sdk');"
      : "const { S3Client, PutBucketNotificationConfigurationCommand } = require('@aws-sdk/client-s3');";
  const put = {
    'old-sdk': 'await new AWS.S3().putBucketNotificationConfiguration(request).promise();',
    callbacks: `await new Promise((resolve, reject) => {
      const done = (error, result) => (error ? reject(error) : resolve(result));
      new S3Client().send(new PutBucketNotificationConfigurationCommand(request), done);
    });`,
    promises: 'await new S3Client().send(new PutBucketNotificationConfigurationCommand(request));',
  };
  return folded(`
${loaded}
const answer = require('./cfn-response');
exports.handler = async function (event, context) {
  const { BucketName, TargetLambdaArn, ReportKey } = event.ResourceProperties;
  const rule = {
    Events: ['s3:ObjectCreated:*'],
    LambdaFunctionArn: TargetLambdaArn,
    Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: ReportKey }] } },
  };
  const wanted = event.RequestType === 'Delete' ? {} : { LambdaFunctionConfigurations: [rule] };
  const request = { Bucket: BucketName, NotificationConfiguration: wanted };
  try {
    ${put[style]}
    return answer.send(event, context, answer.SUCCESS);
  } catch (error) {
    return answer.send(event, context, answer.FAILED, { msg: error.message });
  }
};`);
}
