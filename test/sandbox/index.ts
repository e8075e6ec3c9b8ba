// The interface of the sandbox. Code outside test/sandbox imports this file only.
export { installVirtualDate, VirtualClock } from './clock.ts';
export { createWorld } from './create-world.ts';
export { crashAfterWrite, type FaultRule } from './faults.ts';
export { HttpApi, type HttpRoute } from './http-api.ts';
export { Kubernetes } from './kubernetes/cluster.ts';
export { connectionStatuses } from './kubernetes/kubecost/consumer.ts';
export {
  type KubecostGeneration,
  type KubecostInstallation,
  kubecostObjects,
} from './kubernetes/kubecost/installation.ts';
export { type KubernetesObject, type SeedObject, typeOfKind } from './kubernetes/objects.ts';
export type { KubernetesAnswer } from './kubernetes/resource-api.ts';
export type { ObjectStore } from './kubernetes/store.ts';
export { startServer } from './server.ts';
export { lambdaRefusals, type PlantedFailure } from './services/cloudformation/planted-failures.ts';
export type { Stack } from './services/cloudformation/service.ts';
export { crawlerTemplate } from './services/cur/crawler-template.ts';
export { decodeDataFile, encodeDataFile } from './services/cur/report-data.ts';
export type { ReportDefinition } from './services/cur/service.ts';
export type { Cluster, NewCluster } from './services/eks/state.ts';
export type { EventPattern } from './services/event-pattern.ts';
export type { BusEvent } from './services/events.ts';
export { shownTrust } from './services/iam/trust.ts';
export { SettlingValue } from './settling-value.ts';
export type { Json, State, StateMachine } from './step-functions/definition.ts';
export { type Execution, interpret } from './step-functions/interpreter.ts';
export { TaskTokens } from './step-functions/task-tokens.ts';
export { startTables } from './table-server.ts';
export { errorOf, lambdaTrust, rootOf, serve } from './testing/core-world.ts';
export { startTracing, trace } from './tracing.ts';
export type { CallRecord, World } from './world.ts';
