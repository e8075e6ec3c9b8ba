import { readFileSync } from 'node:fs';
import { deployedFunctions } from '../../functions/deployment/registry.ts';
import {
  createWorld,
  HttpApi,
  installVirtualDate,
  startServer,
  startTracing,
  trace,
  type World,
} from '../sandbox/index.ts';
import { startTable } from './runs-table.ts';
import {
  busRules,
  type Environment,
  httpRoutes,
  readServerlessFile,
  resourceOf,
  schedules,
} from './serverless-file.ts';

export const hubAccountId = '999900001111';
export const hubRegion = 'us-east-1';
export const deploymentId = 'sandbox';
export const tableName = 'runs';
/** The state machines of serverless.yml by logical id, and their names here. */
const machines = { ProvisionStateMachine: 'provision', OffboardStateMachine: 'offboard' } as const;
export const machineArn = (name: string) => `arn:aws:states:${hubRegion}:${hubAccountId}:stateMachine:${name}`;
export const functionArn = (key: string) => `arn:aws:lambda:${hubRegion}:${hubAccountId}:function:${key}`;
const eventBusName = 'runs';
export const eventBusArn = `arn:aws:events:${hubRegion}:${hubAccountId}:event-bus/${eventBusName}`;
const functionRolePath = '/kubecost-payer-onboarding/functions/';

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

/** One record for each invocation of a function. */
export interface InvocationRecord {
  /** Virtual milliseconds since the epoch. */
  at: number;
  functionKey: string;
  runId?: string;
  /** The step waited at its previous invocation and still waits. */
  repeatedWait: boolean;
  waits: boolean;
  /** Operations on the deployment's table, in order. */
  tableCalls: string[];
  error?: string;
}

export interface DeployedSandboxOptions {
  startMs?: number;
  /** Simulated seconds per real second; absent: time jumps. */
  speed?: number;
  /** False: API calls need no signature. Only for `npm start` on loopback. */
  signing?: boolean;
  apiPort?: number;
}

export interface DeployedSandbox {
  world: World;
  /** Endpoint of every AWS service. */
  awsEndpoint: string;
  tableEndpoint: string;
  apiUrl: string;
  invocations: InvocationRecord[];
  stateMachineArn: string;
  invoke(functionKey: string, event: unknown): Promise<unknown>;
  close(): Promise<void>;
}

let deployed: ReturnType<typeof readServerlessFile> | undefined;

/** Runs the deployment of serverless.yml in a sandbox: functions, table, state machines, routes and schedules. */
export async function startDeployedSandbox(options: DeployedSandboxOptions = {}): Promise<DeployedSandbox> {
  // Reading the file takes longer than starting everything else.
  const file = (deployed ??= readServerlessFile({ deploymentId, allowedHostSuffixes: '127.0.0.1' }));
  const world = createWorld(options.startMs === undefined ? {} : { startMs: options.startMs });
  world.events.createEventBus(hubAccountId, hubRegion, eventBusName);
  const undoDate = installVirtualDate(world.clock);
  const stopTracing = startTracing();
  if (options.speed !== undefined) world.clock.speed = options.speed;
  const aws = await startServer(world);
  const table = await startTable(tableName);
  const undoEnvironment = setEnvironment({
    ...hubCredentials(world),
    AWS_REGION: hubRegion,
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: table.endpoint,
    ...resolvedEnvironment(file.provider.environment),
    ...resolvedEnvironment((file.functions.createOnboarding?.environment ?? {}) as Environment),
  });

  const invocations: InvocationRecord[] = [];
  const latest = new Map<string, InvocationRecord>();
  const invoke = async (functionKey: string, event: unknown): Promise<unknown> => {
    const entry = file.functions[functionKey];
    if (!entry) throw new Error(`serverless.yml has no function ${functionKey}`);
    const handler = await loadHandler(functionKey);
    const runId = (event as { runId?: string } | undefined)?.runId;
    const before = runId === undefined ? undefined : latest.get(`${functionKey} ${runId}`);
    const record: InvocationRecord = {
      at: world.clock.now(),
      functionKey,
      ...(runId && { runId }),
      repeatedWait: false,
      waits: false,
      tableCalls: [],
    };
    const invocation = invocations.push(record) - 1;
    if (runId !== undefined) latest.set(`${functionKey} ${runId}`, record);
    const sends = (host: string, operation: string) => {
      if (table.endpoint.endsWith(host)) record.tableCalls.push(operation);
    };
    const limitMs = (entry.timeout ?? file.provider.timeout) * 1000;
    const context = { functionName: functionKey, getRemainingTimeInMillis: () => limitMs };
    try {
      const answer = await world.clock.hold(
        () => trace({ invocation, sends }, () => handler(event, context)),
        functionKey,
      );
      record.waits = (answer as { status?: string } | undefined)?.status === 'waiting';
      record.repeatedWait = record.waits && before?.waits === true;
      return answer;
    } catch (error) {
      record.error = error instanceof Error ? error.name : String(error);
      throw error;
    }
  };

  for (const [logicalId, name] of Object.entries(machines)) {
    world.states.createStateMachine({
      accountId: hubAccountId,
      region: hubRegion,
      name,
      definition: definitionOf(name, resourceOf(file, logicalId)),
      invoke: (arn, payload) => invoke(arn.split(':').at(-1) ?? '', payload),
      onStatusChange: (event) => {
        if (['FAILED', 'TIMED_OUT', 'ABORTED'].includes(event.detail.status))
          void invoke('close', event).catch(reportBackground);
      },
    });
  }
  for (const { functionKey, pattern } of busRules(file))
    world.events.putRule(eventBusArn, pattern, (event) => {
      // Time must not move while the function's code is loaded.
      void world.clock.hold(() => invoke(functionKey, event), functionKey).catch(reportBackground);
    });
  for (const { functionKey, expression } of schedules(file))
    world.events.putSchedule(expression, { account: hubAccountId, region: hubRegion }, (event) => {
      void world.clock.hold(() => invoke(functionKey, event), functionKey).catch(reportBackground);
    });

  const api = new HttpApi({ routes: httpRoutes(file), invoke, world, signing: options.signing ?? true });
  const apiUrl = await api.listen(options.apiPort ?? 0);
  return {
    world,
    awsEndpoint: aws.endpoint,
    tableEndpoint: table.endpoint,
    apiUrl,
    invocations,
    stateMachineArn: machineArn('provision'),
    invoke,
    async close() {
      world.clock.stop();
      await Promise.all([api.close(), world.clock.drained()]);
      await Promise.all([aws.close(), table.close(), world.eks.close()]);
      stopTracing();
      undoEnvironment();
      undoDate();
    },
  };
}

const handlers = new Map<string, Promise<Handler>>();

function loadHandler(functionKey: string): Promise<Handler> {
  const entry = deployedFunctions.find(({ key }) => key === functionKey)?.entry;
  if (!entry) throw new Error(`functions/deployment/registry.ts has no function ${functionKey}`);
  const loaded =
    handlers.get(functionKey) ??
    import(new URL(`../../${entry}`, import.meta.url).href).then((module) => (module as { handler: Handler }).handler);
  handlers.set(functionKey, loaded);
  return loaded;
}

/** Credentials of the functions' role: one for all functions here, under the path that the provisioner roles trust. */
function hubCredentials(world: World): Record<string, string> {
  world.iam.createRole({
    accountId: hubAccountId,
    name: 'functions',
    path: functionRolePath,
    trust: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    },
    inline: {
      function: {
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: 'arn:aws:iam::*:role/kubecost-payer-onboarding/*' },
          {
            Effect: 'Allow',
            Action: ['DescribeExecution', 'SendTaskSuccess', 'StartExecution', 'StopExecution'].map(
              (name) => `states:${name}`,
            ),
            Resource: '*',
          },
          { Effect: 'Allow', Action: 'events:PutEvents', Resource: eventBusArn },
        ],
      },
    },
    settled: true,
  });
  const session = world.sts.issueSession({
    accountId: hubAccountId,
    roleName: 'functions',
    sessionName: 'hub',
    durationSeconds: 10 * 365 * 24 * 3600,
  });
  return {
    AWS_ACCESS_KEY_ID: session.accessKeyId,
    AWS_SECRET_ACCESS_KEY: session.secretAccessKey,
    AWS_SESSION_TOKEN: session.sessionToken,
  };
}

/** Replaces references by the names of this deployment. */
function resolvedEnvironment(environment: Environment): Record<string, string> {
  const references: Record<string, string> = {
    RunsTable: tableName,
    RunEventBus: eventBusName,
    ...Object.fromEntries(Object.entries(machines).map(([logicalId, name]) => [logicalId, machineArn(name)])),
  };
  return Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => name !== 'NODE_OPTIONS')
      .map(([name, value]) => [name, typeof value === 'object' ? (references[value.Ref] ?? '') : String(value)]),
  );
}

function setEnvironment(values: Record<string, string>): () => void {
  const before = Object.fromEntries(Object.keys(values).map((name) => [name, process.env[name]]));
  Object.assign(process.env, values);
  return () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  };
}

const definitions = new Map<string, object>();

function definitionOf(name: string, machine: Record<string, unknown>): object {
  const definition = definitions.get(name) ?? (JSON.parse(substituted(name, machine)) as object);
  definitions.set(name, definition);
  return definition;
}

/** The deployed definition with its substitutions filled in as CloudFormation would. */
function substituted(name: string, machine: Record<string, unknown>): string {
  const definition = readFileSync(new URL(`../../state-machines/${name}.asl`, import.meta.url), 'utf8');
  const substitutions = machine.DefinitionSubstitutions as Record<string, { 'Fn::GetAtt': [string, 'Arn'] }>;
  return definition.replaceAll(/\$\{(\w+)\}/g, (placeholder, name: string) => {
    const logicalId = substitutions[name]?.['Fn::GetAtt'][0].replace(/LambdaFunction$/, '');
    if (!logicalId) throw new Error(`no substitution for ${placeholder}`);
    return functionArn(`${logicalId[0]?.toLowerCase() ?? ''}${logicalId.slice(1)}`);
  });
}

function reportBackground(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}
