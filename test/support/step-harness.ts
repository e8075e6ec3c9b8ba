import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { type RunRecord, skips } from '../../shared/model/run.ts';
import { newRunId } from '../../shared/model/run-id.ts';
import { OnboardingRequest, type OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import { onboardingStepNames, type StepName } from '../../shared/model/step-names.ts';
import { createRun } from '../../shared/runs/run-table.ts';
import { updateRun } from '../../shared/runs/run-table-update.ts';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { equals } from '../../shared/table/expressions.ts';
import type { CallRecord, World } from '../sandbox/index.ts';
import { type DeployedSandbox, startDeployedSandbox, tableName } from './deployed-sandbox.ts';
import { exampleRequest, type examples, seedScenario } from './scenario.ts';
import { endStep, storedRun } from './stored-runs.ts';
import { invokeStep, type StepOutcome, type TakeOptions, takeStep } from './take-step.ts';

export type Example = (typeof examples)[number];

const startMs = Date.parse('2026-11-23T08:00:00Z');

/** The demo's accounts and clusters, and runs whose steps a test takes one at a time. */
export class StepHarness {
  readonly sandbox: DeployedSandbox;
  readonly world: World;
  #running: string[] = [];

  private constructor(sandbox: DeployedSandbox) {
    this.sandbox = sandbox;
    this.world = sandbox.world;
  }

  /**
   * @param options.deliveryHours until a new report's first delivery. @default as in the demo, most of a day
   * @param options.start when the world begins
   */
  static async open({ deliveryHours, start }: { deliveryHours?: number; start?: string } = {}): Promise<StepHarness> {
    const sandbox = await startDeployedSandbox({ startMs: start === undefined ? startMs : Date.parse(start) });
    await seedScenario(sandbox.world);
    const { firstDeliveryHours } = sandbox.world.cur;
    if (deliveryHours !== undefined)
      for (const accountId of firstDeliveryHours.keys()) firstDeliveryHours.set(accountId, deliveryHours);
    return new StepHarness(sandbox);
  }

  close(): Promise<void> {
    return this.sandbox.close();
  }

  /** A running run whose steps only the test takes. */
  async begin(example: Example, changes: Partial<OnboardingRequestInput> = {}): Promise<OneRun> {
    const request = OnboardingRequest.parse({ ...exampleRequest(example), ...changes });
    const createdAt = new Date(this.world.clock.now()).toISOString();
    const runId = newRunId(this.world.clock.now());
    await createRun({ runId, kind: 'onboarding', attempt: 1, status: 'running', createdAt, request });
    this.#running.push(runId);
    return new OneRun(this, runId, request);
  }

  /** Ends the runs that nobody takes steps of any more: the watcher reads every running one again and again. */
  async endRuns(): Promise<void> {
    for (const runId of this.#running.splice(0))
      await updateRun({ runId }, [{ at: 'status', to: 'cancelled' }], equals('status', 'running'));
  }

  /** The items whose partition key starts with `prefix`. */
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

/** The steps of the run, in an order in which each has its inputs. */
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
  invoke(name: StepName): Promise<StepAnswer> {
    return invokeStep(this.#stepHarness.sandbox, this.runId, name);
  }

  /** Takes the step to its end. @throws what the last invocation threw */
  async take(name: StepName, options?: TakeOptions): Promise<StepOutcome> {
    const outcome = await takeStep(this.#stepHarness.sandbox, this.runId, name, options);
    if (outcome.thrown) throw outcome.thrown;
    return outcome;
  }

  /** Copies the outputs of another run's steps before `step`. */
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

/** Requests that change a payer account or a cluster. A query writes only its results, so it does not count. */
export function writesOf(calls: readonly CallRecord[]): CallRecord[] {
  return calls.filter(
    ({ writes, service, operation }) => writes && service !== 'states' && operation !== 'StartQueryExecution',
  );
}
