import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { OnboardingRequest, type OnboardingRequestInput } from '../../shared/model/onboarding-request.ts';
import { type RunRecord, skips } from '../../shared/model/run.ts';
import { newRunId } from '../../shared/model/run-id.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import { onboardingStepNames, type StepName } from '../../shared/model/step-names.ts';
import { createRun } from '../../shared/runs/run-table.ts';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { functionKey } from '../../state-machines/states.ts';
import type { CallRecord, World } from '../sandbox/index.ts';
import { type DeployedSandbox, startDeployedSandbox, tableName } from './deployed-sandbox.ts';
import { exampleRequest, type examples, seedScenario } from './scenario.ts';
import { endStep, storedRun } from './stored-runs.ts';

export type Example = (typeof examples)[number];

const startMs = Date.parse('2026-11-23T08:00:00Z');

/** Of the state machine's states. */
const mostRetries = 8;

/** What taking a step to its end did. */
export interface Taken {
  answer: StepAnswer;
  record: StepRecord;
  /** The step's own: what its wrapper tells the event bus no step fails by. */
  calls: CallRecord[];
}

/** The demo's accounts and clusters, and runs that are taken through the deployed handlers one step at a time. */
export class StepHarness {
  readonly sandbox: DeployedSandbox;
  readonly world: World;

  private constructor(sandbox: DeployedSandbox) {
    this.sandbox = sandbox;
    this.world = sandbox.world;
  }

  /** @param options.deliveryHours until a new report's first delivery; absent: as in the demo, most of a day */
  static async open({ deliveryHours }: { deliveryHours?: number } = {}): Promise<StepHarness> {
    const sandbox = await startDeployedSandbox({ startMs });
    await seedScenario(sandbox.world);
    const { firstDeliveryHours } = sandbox.world.cur;
    if (deliveryHours !== undefined)
      for (const accountId of firstDeliveryHours.keys()) firstDeliveryHours.set(accountId, deliveryHours);
    return new StepHarness(sandbox);
  }

  close(): Promise<void> {
    return this.sandbox.close();
  }

  /** A run that has begun; nobody but the test takes its steps. */
  async begin(example: Example, changes: Partial<OnboardingRequestInput> = {}): Promise<OneRun> {
    const request = OnboardingRequest.parse({ ...exampleRequest(example), ...changes });
    const createdAt = new Date(this.world.clock.now()).toISOString();
    const runId = newRunId(this.world.clock.now());
    await createRun({ runId, kind: 'onboarding', attempt: 1, status: 'running', createdAt, request });
    return new OneRun(this, runId, request);
  }

  /** Everything in the table whose partition key begins like this. */
  async items(prefix = ''): Promise<Record<string, unknown>[]> {
    const client = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: this.sandbox.tableEndpoint }));
    try {
      const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName }));
      return Items.filter(({ pk }) => String(pk).startsWith(prefix));
    } finally {
      client.destroy();
    }
  }
}

/** Steps in the order in which one after the other finds what it needs. */
export function stepsOf(example: Example): StepName[] {
  const request = OnboardingRequest.parse(exampleRequest(example));
  return onboardingStepNames.filter((name) => !skips({ kind: 'onboarding', request }, name));
}

export class OneRun {
  readonly runId: string;
  readonly request: OnboardingRequest;
  readonly #stepHarness: StepHarness;

  constructor(stepHarness: StepHarness, runId: string, request: OnboardingRequest) {
    this.#stepHarness = stepHarness;
    this.runId = runId;
    this.request = request;
  }

  async read(): Promise<RunRecord> {
    return storedRun(this.runId);
  }

  async record(name: StepName): Promise<StepRecord> {
    const record = (await this.read()).steps[name];
    if (!record) throw new Error(`run ${this.runId} has no step ${name}`);
    return record;
  }

  /** One invocation. @throws what the handler throws */
  async invoke(name: StepName): Promise<StepAnswer> {
    return (await this.#stepHarness.sandbox.invoke(functionKey(name), { runId: this.runId, attempt: 1 })) as StepAnswer;
  }

  /**
   * Takes the step to its end as the state machine does: waits while it waits, tries again what may soon work.
   * @param options.leastSeconds of each wait: for waits that only a deadline ends
   */
  async take(name: StepName, { leastSeconds = 0 } = {}): Promise<Taken> {
    const { world } = this.#stepHarness;
    const before = world.calls.length;
    for (let failures = 0; ;) {
      const answer = await this.invoke(name).catch((error: unknown) => {
        if (!(error instanceof Error) || error.name !== 'RetryableError' || ++failures > mostRetries) throw error;
        return undefined;
      });
      if (answer && answer.status !== 'waiting')
        return { answer, record: await this.record(name), calls: ownCalls(world.calls.slice(before)) };
      if (answer) failures = 0;
      await world.clock.sleep(Math.max(leastSeconds, answer?.seconds ?? Math.min(60, 2 ** failures)) * 1000);
    }
  }

  /** Puts a run where another one is: as if it had taken the other one's steps before `step`. */
  async follow(other: OneRun, step: StepName): Promise<void> {
    const { steps } = await other.read();
    for (const name of onboardingStepNames.slice(
      0,
      onboardingStepNames.findIndex((name) => name === step),
    )) {
      const output = steps[name]?.output;
      if (output) await endStep(this.runId, name, output);
    }
  }
}

function ownCalls(calls: readonly CallRecord[]): CallRecord[] {
  return calls.filter(({ service }) => service !== 'events');
}

/** Requests that changed a payer account or a cluster, or tried to; a query leaves its results and nothing else. */
export function writesOf(calls: readonly CallRecord[]): CallRecord[] {
  return calls.filter(
    ({ writes, service, operation }) => writes && service !== 'states' && operation !== 'StartQueryExecution',
  );
}
