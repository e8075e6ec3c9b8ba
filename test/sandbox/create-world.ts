import { VirtualClock } from './clock.ts';
import { athenaService } from './services/athena/service.ts';
import { AthenaState } from './services/athena/state.ts';
import { cloudformationService, CloudFormationState } from './services/cloudformation/service.ts';
import { curService, CurState } from './services/cur/service.ts';
import { eksService } from './services/eks/service.ts';
import { EksState } from './services/eks/state.ts';
import { eksAuthService } from './services/eks-auth.ts';
import { eventsService, EventsState } from './services/events.ts';
import { glueService } from './services/glue/service.ts';
import { GlueState } from './services/glue/state.ts';
import { iamService } from './services/iam/service.ts';
import { IamState } from './services/iam/state.ts';
import { kmsService } from './services/kms/service.ts';
import { KmsState } from './services/kms/state.ts';
import { lakeformationService, LakeFormationState } from './services/lakeformation.ts';
import { lambdaService, LambdaState } from './services/lambda.ts';
import { organizationsService, OrganizationsState } from './services/organizations.ts';
import { s3Service } from './services/s3/service.ts';
import { S3State } from './services/s3/state.ts';
import { statesService, StatesState } from './services/states.ts';
import { stsService } from './services/sts/service.ts';
import { StsState } from './services/sts/state.ts';
import type { World } from './world.ts';

const services = [
  athenaService,
  cloudformationService,
  curService,
  eksService,
  eksAuthService,
  eventsService,
  glueService,
  iamService,
  kmsService,
  lakeformationService,
  lambdaService,
  organizationsService,
  s3Service,
  statesService,
  stsService,
];

/** An empty AWS. It starts on a fixed day, so every run is the same. */
export function createWorld({ startMs = Date.UTC(2026, 10, 10, 9) }: { startMs?: number } = {}): World {
  // Each state needs the world and the world needs each state. They use each other only after all exist.
  const world = { clock: new VirtualClock(startMs), calls: [], faults: [], services } as unknown as World;
  return Object.assign(world, {
    iam: new IamState(world),
    sts: new StsState(world),
    s3: new S3State(world),
    cur: new CurState(world),
    cloudformation: new CloudFormationState(world),
    glue: new GlueState(world),
    athena: new AthenaState(world),
    eks: new EksState(world),
    events: new EventsState(world),
    kms: new KmsState(world),
    lambda: new LambdaState(),
    lakeformation: new LakeFormationState(),
    states: new StatesState(world),
    organizations: new OrganizationsState(),
  });
}
