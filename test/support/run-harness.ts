import type { OffboardingRequestInput } from '../../shared/model/onboarding-request.ts';
import type { Run } from '../../shared/runs/view.ts';
import { ApiClient } from './api-client.ts';
import type { clusters } from './scenario.ts';
import { clusterArn, exampleRequest, readSecret } from './scenario.ts';
import { type Example, Stage } from './step-harness.ts';

type Changes = Partial<Parameters<ApiClient['start']>[0]>;
export type Cluster = (typeof clusters)[number];

/** A stage whose runs are started over HTTP and taken to their end by the state machine. */
export class Board {
  readonly stage: Stage;
  readonly api: ApiClient;

  private constructor(stage: Stage) {
    this.stage = stage;
    this.api = new ApiClient(stage.sandbox.apiUrl);
  }

  static async open(options: Parameters<typeof Stage.open>[0] = {}): Promise<Board> {
    return new Board(await Stage.open(options));
  }

  close(): Promise<void> {
    return this.stage.close();
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
   * Does something at a moment of virtual time, and answers what came of it; time stands still meanwhile.
   * @param minutes no multiple of five where no step is to be at work then: runs look for their delivery every fifteen
   */
  later<Result>(minutes: number, work: () => Promise<Result>): Promise<Result> {
    const { clock } = this.stage.world;
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

/** What the file of a cluster holds in the tutorial's format. */
export function entriesOf({ stage }: Board, cluster: Cluster): Record<string, unknown>[] {
  const { aws } = JSON.parse(readSecret(stage.world, cluster) ?? '{}') as { aws?: Record<string, unknown>[] };
  return aws ?? [];
}

/** Puts a file into a cluster, as somebody's kubectl would. */
export function putFile({ stage }: Board, cluster: Cluster, text: string, labels: Record<string, string> = {}): void {
  const { kubernetes } = stage.world.eks.cluster(clusterArn(cluster));
  kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
  kubernetes.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: 'cloud-integration', namespace: 'kubecost', labels },
    data: { 'cloud-integration.json': Buffer.from(text).toString('base64') },
  });
}
