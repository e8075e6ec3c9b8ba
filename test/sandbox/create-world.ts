import { VirtualClock } from './clock.ts';
import { AthenaState, athenaService } from './services/athena.ts';
import { CloudFormationState, cloudformationService } from './services/cloudformation.ts';
import { CurState, curService } from './services/cur.ts';
import { EksState, eksService } from './services/eks.ts';
import { eksAuthService } from './services/eks-auth.ts';
import { EventsState, eventsService } from './services/events.ts';
import { GlueState, glueService } from './services/glue.ts';
import { IamState, iamService } from './services/iam.ts';
import { LakeFormationState, lakeformationService } from './services/lakeformation.ts';
import { LambdaState, lambdaService } from './services/lambda.ts';
import { OrganizationsState, organizationsService } from './services/organizations.ts';
import { S3State, s3Service } from './services/s3.ts';
import { StatesState, statesService } from './services/states.ts';
import { StsState, stsService } from './services/sts.ts';
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
  lakeformationService,
  lambdaService,
  organizationsService,
  s3Service,
  statesService,
  stsService,
];

/** An AWS in which nothing exists yet. It begins on a fixed day, so that every run of it is the same. */
export function createWorld({ startMs = Date.UTC(2026, 10, 10, 9) }: { startMs?: number } = {}): World {
  // Each state needs the world and the world each state: they only look at one another once all are there.
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
    lambda: new LambdaState(),
    lakeformation: new LakeFormationState(),
    states: new StatesState(world),
    organizations: new OrganizationsState(),
  });
}
