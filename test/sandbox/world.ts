import type { VirtualClock } from './clock.ts';
import type { FaultRule } from './faults.ts';
import type { Service } from './service.ts';
import type { AthenaState } from './services/athena/state.ts';
import type { CloudFormationState } from './services/cloudformation/service.ts';
import type { CurState } from './services/cur/service.ts';
import type { EksState } from './services/eks/state.ts';
import type { EventsState } from './services/events.ts';
import type { GlueState } from './services/glue/state.ts';
import type { IamState } from './services/iam/state.ts';
import type { KmsState } from './services/kms/state.ts';
import type { LakeFormationState } from './services/lakeformation.ts';
import type { LambdaState } from './services/lambda.ts';
import type { OrganizationsState } from './services/organizations.ts';
import type { S3State } from './services/s3/state.ts';
import type { StatesState } from './services/states.ts';
import type { StsState } from './services/sts/state.ts';

/** A request that the sandbox answered. */
export interface CallRecord {
  /** Virtual milliseconds since the epoch. */
  at: number;
  accountId: string;
  callerArn: string;
  service: string;
  operation: string;
  writes: boolean;
  /** AWS error code, `injected:<fault>` or absent. */
  error?: string;
  /** Index of the hub's invocation that sent it; absent for callers from outside. */
  invocation?: number;
}

/** The whole state of the sandbox: the clock, each service's state, the recorded calls and the planted faults. */
export interface World {
  clock: VirtualClock;
  calls: CallRecord[];
  faults: FaultRule[];
  /** The services of the server. */
  services: readonly Service[];
  iam: IamState;
  states: StatesState;
  sts: StsState;
  s3: S3State;
  cur: CurState;
  cloudformation: CloudFormationState;
  glue: GlueState;
  athena: AthenaState;
  eks: EksState;
  events: EventsState;
  kms: KmsState;
  lambda: LambdaState;
  lakeformation: LakeFormationState;
  organizations: OrganizationsState;
}
