import { randomUUID } from 'node:crypto';
import type { ResourceStatus, StackStatus } from '@aws-sdk/client-cloudformation';
import type { Caller } from '../../service.ts';
import type { World } from '../../world.ts';
import { failureReason } from './act-as-caller.ts';
import { plantedFailure } from './planted-failures.ts';
import { checkProperties } from './property-names.ts';
import { type ResourceContext, resourceType } from './resource-types.ts';
import type { Stack, StackResource } from './service.ts';
import type { Properties, TemplateResource } from './template.ts';
import { dereference } from './template-functions.ts';

const UNTIL_CALL = 3_000;
const REMOVAL = 5_000;
/** The time that CloudFormation waits for a custom resource's answer, unless its ServiceTimeout is shorter. */
const SILENCE = 3_600_000;

/** Creates the resources of a stack in the order of their references, each with its own duration. */
export function createStack(world: World, stack: Stack, template: TemplateResource[]): void {
  const activity = begin(stack);
  setStackStatus(world, stack, 'CREATE_IN_PROGRESS', 'User Initiated');
  const steps = new Steps(world, stack, template, activity);
  world.clock.after(UNTIL_CALL, () => {
    steps.startReady();
  });
  if (stack.timeoutMinutes !== undefined)
    world.clock.after(stack.timeoutMinutes * 60_000, () => {
      if (stack.activity !== activity || stack.status !== 'CREATE_IN_PROGRESS') return;
      stack.failure = 'Stack creation time exceeded the specified timeout';
      abandonCreation(world, stack, `${stack.failure}. Rollback requested by user.`);
    });
}

/** Deletes the resources, newest first, with the caller's permissions. */
export function deleteStack(world: World, stack: Stack, caller: Caller): void {
  stack.caller = caller;
  begin(stack);
  setStackStatus(world, stack, 'DELETE_IN_PROGRESS', 'User Initiated');
  removeNext(world, stack, stack.activity, 'DELETE_COMPLETE', 'DELETE_FAILED');
}

/** One creation of a stack. A newer activity on the stack cancels an older one. */
class Steps {
  readonly #world: World;
  readonly #stack: Stack;
  readonly #template: TemplateResource[];
  readonly #activity: number;

  constructor(world: World, stack: Stack, template: TemplateResource[], activity: number) {
    this.#world = world;
    this.#stack = stack;
    this.#template = template;
    this.#activity = activity;
  }

  startReady(): void {
    if (this.#stack.activity !== this.#activity) return;
    const complete = (id: string) => this.#stack.resources.get(id)?.status === 'CREATE_COMPLETE';
    for (const resource of this.#template)
      if (!this.#stack.resources.has(resource.logicalId) && resource.after.every(complete)) this.#start(resource);
    if (this.#template.every(({ logicalId }) => complete(logicalId)))
      setStackStatus(this.#world, this.#stack, 'CREATE_COMPLETE');
  }

  #start({ logicalId, type, properties, deletionPolicy }: TemplateResource): void {
    const { clock } = this.#world;
    const resource: StackResource = {
      logicalId,
      type,
      properties: {},
      attributes: {},
      status: 'CREATE_IN_PROGRESS',
      updatedAt: clock.now(),
      deletionPolicy,
    };
    this.#stack.resources.set(logicalId, resource);
    setStatus(this.#world, this.#stack, resource, 'CREATE_IN_PROGRESS');
    clock.after(UNTIL_CALL, () => {
      if (this.#stack.activity === this.#activity)
        void clock.hold(() => this.#create(resource, properties), `creation of ${logicalId}`);
    });
  }

  async #create(resource: StackResource, properties: Properties): Promise<void> {
    try {
      resource.properties = dereference(properties, (id, attribute) => this.#lookUp(id, attribute)) as Properties;
      const type = resourceType(resource.type);
      checkProperties(resource);
      const planted = plantedFailure(this.#world.cloudformation.plantedFailures, this.#stack, resource, 'create');
      if (planted && planted !== 'silence') throw planted;
      const context = contextOf(this.#world, this.#stack, resource);
      const answer = planted ?? (await type.create(resource.properties, context));
      setStatus(this.#world, this.#stack, resource, 'CREATE_IN_PROGRESS', 'Resource creation Initiated');
      if (answer === 'silence') this.#awaitInVain(resource);
      else this.#completeIn(type.seconds * 1000 - UNTIL_CALL, resource);
    } catch (error) {
      if (this.#stack.activity === this.#activity) this.#fail(resource, failureReason(error, resource.type));
    }
  }

  #completeIn(ms: number, resource: StackResource): void {
    this.#world.clock.after(ms, () => {
      if (this.#stack.activity !== this.#activity) return;
      setStatus(this.#world, this.#stack, resource, 'CREATE_COMPLETE');
      this.startReady();
    });
  }

  #awaitInVain(resource: StackResource): void {
    this.#world.clock.after(silenceMs(resource), () => {
      if (this.#stack.activity === this.#activity) this.#fail(resource, noResponse());
    });
  }

  #fail(resource: StackResource, reason: string): void {
    setStatus(this.#world, this.#stack, resource, 'CREATE_FAILED', reason);
    this.#stack.failure = `The following resource(s) failed to create: [${resource.logicalId}]. `;
    abandonCreation(this.#world, this.#stack, `${this.#stack.failure}Rollback requested by user.`);
  }

  #lookUp(id: string, attribute?: string): string {
    const { accountId, region, name, id: stackId, resources } = this.#stack;
    const pseudo: Record<string, string> = {
      'AWS::AccountId': accountId,
      'AWS::Region': region,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': name,
      'AWS::StackId': stackId,
    };
    const resource = resources.get(id);
    const value = attribute === undefined ? (pseudo[id] ?? resource?.physicalId) : resource?.attributes[attribute];
    return value ?? '';
  }
}

function silenceMs({ properties }: StackResource): number {
  return Number(properties.ServiceTimeout ?? SILENCE / 1000) * 1000;
}

function noResponse(): string {
  return `CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [${randomUUID()}].`;
}

function abandonCreation(world: World, stack: Stack, reason: string): void {
  const activity = begin(stack);
  for (const resource of stack.resources.values())
    if (resource.status === 'CREATE_IN_PROGRESS')
      setStatus(world, stack, resource, 'CREATE_FAILED', 'Resource creation cancelled');
  if (stack.onFailure === 'DO_NOTHING') {
    setStackStatus(world, stack, 'CREATE_FAILED', stack.failure);
    return;
  }
  const erase = stack.onFailure === 'DELETE';
  setStackStatus(world, stack, erase ? 'DELETE_IN_PROGRESS' : 'ROLLBACK_IN_PROGRESS', reason);
  if (erase) removeNext(world, stack, activity, 'DELETE_COMPLETE', 'DELETE_FAILED');
  else removeNext(world, stack, activity, 'ROLLBACK_COMPLETE', 'ROLLBACK_FAILED');
}

function removeNext(world: World, stack: Stack, activity: number, done: StackStatus, failed: StackStatus): void {
  const left = [...stack.resources.values()].filter(({ status }) => !/^DELETE_(COMPLETE|SKIPPED)$/.test(status));
  const resource = left.at(-1);
  if (!resource) {
    setStackStatus(world, stack, done);
    return;
  }
  const next = () => {
    removeNext(world, stack, activity, done, failed);
  };
  const isRollback = done === 'ROLLBACK_COMPLETE';
  if (resource.deletionPolicy === 'Retain' || (resource.deletionPolicy === 'RetainExceptOnCreate' && !isRollback)) {
    setStatus(world, stack, resource, 'DELETE_SKIPPED');
    next();
    return;
  }
  const fail = (reason: string) => {
    setStatus(world, stack, resource, 'DELETE_FAILED', reason);
    setStackStatus(world, stack, failed, `The following resource(s) failed to delete: [${resource.logicalId}]. `);
  };
  setStatus(world, stack, resource, 'DELETE_IN_PROGRESS');
  world.clock.after(REMOVAL, () => {
    if (stack.activity !== activity) return;
    void world.clock.hold(async () => {
      try {
        const planted = plantedFailure(world.cloudformation.plantedFailures, stack, resource, 'delete');
        if (planted === 'silence') {
          world.clock.after(silenceMs(resource), () => {
            if (stack.activity === activity) fail(noResponse());
          });
          return;
        }
        if (planted) throw planted;
        if (resource.physicalId !== undefined)
          await resourceType(resource.type).remove(resource.properties, contextOf(world, stack, resource));
        setStatus(world, stack, resource, 'DELETE_COMPLETE');
      } catch (error) {
        fail(failureReason(error, resource.type));
        return;
      }
      next();
    }, `removal of ${resource.logicalId}`);
  });
}

function contextOf(world: World, stack: Stack, resource: StackResource): ResourceContext {
  return { world, caller: stack.caller, region: stack.region, now: world.clock.now(), stack, resource };
}

function begin(stack: Stack): number {
  stack.activity++;
  return stack.activity;
}

function setStatus(world: World, stack: Stack, resource: StackResource, status: ResourceStatus, reason?: string): void {
  resource.status = status;
  resource.updatedAt = world.clock.now();
  resource.reason = reason;
  record(world, stack, resource.logicalId, resource.physicalId ?? '', resource.type, status, reason);
}

function setStackStatus(world: World, stack: Stack, status: StackStatus, reason?: string): void {
  stack.status = status;
  stack.reason = reason;
  stack.updatedAt = world.clock.now();
  if (status === 'DELETE_COMPLETE') stack.deletedAt = world.clock.now();
  record(world, stack, stack.name, stack.id, 'AWS::CloudFormation::Stack', status as ResourceStatus, reason);
}

function record(
  world: World,
  stack: Stack,
  logicalId: string,
  physicalId: string,
  type: string,
  status: ResourceStatus,
  reason: string | undefined,
): void {
  stack.events.push({
    EventId: randomUUID(),
    StackId: stack.id,
    StackName: stack.name,
    LogicalResourceId: logicalId,
    PhysicalResourceId: physicalId,
    ResourceType: type,
    Timestamp: new Date(world.clock.now()),
    ResourceStatus: status,
    ...(reason !== undefined && { ResourceStatusReason: reason }),
    ...(stack.token !== undefined && { ClientRequestToken: stack.token }),
  });
}
