import type { OffboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { ApiClient } from './api-client.ts';
import type { clusters } from './scenario.ts';
import { clusterArn, exampleRequest, readSecret } from './scenario.ts';
import { type Example, StepHarness } from './step-harness.ts';

type Changes = Partial<Parameters<ApiClient['start']>[0]>;
export type Cluster = (typeof clusters)[number];

/** Runs that start over HTTP and that the state machine takes to their end. */
export class RunHarness {
  readonly stepHarness: StepHarness;
  readonly api: ApiClient;

  private constructor(stepHarness: StepHarness) {
    this.stepHarness = stepHarness;
    this.api = new ApiClient(stepHarness.sandbox.apiUrl);
  }

  static async open(options: Parameters<typeof StepHarness.open>[0] = {}): Promise<RunHarness> {
    return new RunHarness(await StepHarness.open(options));
  }

  close(): Promise<void> {
    return this.stepHarness.close();
  }

  async onboard(example: Example, changes: Changes = {}): Promise<Run> {
    const { runId } = await this.api.start({ ...exampleRequest(example), ...changes });
    return this.api.untilEnded(runId);
  }

  async offboard(request: OffboardingRequestInput): Promise<Run> {
    const { runId } = await this.api.startOffboarding(request);
    return this.api.untilEnded(runId);
  }

  /**
   * Runs `work` at a moment of virtual time and returns its result. Time does not move meanwhile.
   * @param minutes use no multiple of five if no step may run then: runs look for their delivery every fifteen minutes
   */
  later<Result>(minutes: number, work: () => Promise<Result>): Promise<Result> {
    const { clock } = this.stepHarness.world;
    return new Promise((resolve, reject) => {
      clock.after(minutes * 60_000, () => void clock.hold(work, 'what happens later').then(resolve, reject));
    });
  }
}

export function stepOf(run: Run, name: Run['steps'][number]['name']): Run['steps'][number] {
  const found = run.steps.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no step ${name}`);
  return found;
}

export function minutesOf({ createdAt, endedAt }: Run): number {
  return (Date.parse(endedAt ?? '') - Date.parse(createdAt)) / 60_000;
}

/** The AWS entries of a cluster's file in the tutorial's format. */
export function entriesOf({ stepHarness }: RunHarness, cluster: Cluster): Record<string, unknown>[] {
  const { aws } = JSON.parse(readSecret(stepHarness.world, cluster) ?? '{}') as { aws?: Record<string, unknown>[] };
  return aws ?? [];
}

/** Puts a file into a cluster as kubectl does. */
export function putFile(
  { stepHarness }: RunHarness,
  cluster: Cluster,
  text: string,
  labels: Record<string, string> = {},
): void {
  const { kubernetes } = stepHarness.world.eks.cluster(clusterArn(cluster));
  kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
  kubernetes.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: 'cloud-integration', namespace: 'kubecost', labels },
    data: { 'cloud-integration.json': Buffer.from(text).toString('base64') },
  });
}
