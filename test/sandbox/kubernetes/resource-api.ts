import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Admission } from './admission.ts';
import type { Authorizer, User } from './authorize.ts';
import { checkEscalation } from './escalation.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  invalid,
  KubernetesFailure,
  methodNotAllowed,
  modified,
  notFound,
} from './failure.ts';
import { admitted } from './kinds.ts';
import { listPage } from './list.ts';
import { applyFields, recordUpdate } from './managed-fields.ts';
import {
  apiVersionOf,
  isRecord,
  type KubernetesObject,
  type ManagedFields,
  omit,
  type ResourceType,
  typeOfKind,
} from './objects.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { attributesOf, type RequestInfo, type Target } from './request.ts';
import { endPod } from './rollouts.ts';
import { type ObjectStore, timestamp } from './store.ts';

export interface KubernetesAnswer {
  status: number;
  body: object | string;
}

export interface ResourceRequest {
  info: RequestInfo;
  target: Target;
  type: ResourceType;
  user: User;
  body: unknown;
  contentType: string;
  /** The manager that owns the fields of this request. */
  manager: string;
}

/** The verbs on stored objects, after authentication and authorization of the caller. */
export class ResourceApi {
  readonly #store: ObjectStore;
  readonly #authorizer: Authorizer;
  readonly #admission: Admission;
  readonly #now: () => number;

  constructor(store: ObjectStore, authorizer: Authorizer, admission: Admission, now: () => number) {
    this.#store = store;
    this.#authorizer = authorizer;
    this.#admission = admission;
    this.#now = now;
  }

  handle(request: ResourceRequest): KubernetesAnswer {
    const { info, target, type } = request;
    switch (info.verb) {
      case 'get':
        return { status: 200, body: this.#existing(type, target) };
      case 'list':
        return { status: 200, body: listPage(this.#store, type, target, info.query) };
      case 'create':
        if (target.name !== undefined) throw methodNotAllowed();
        return { status: 201, body: this.#create(request, this.#asObject(request, request.body)) };
      case 'update': {
        if (target.name === undefined) throw methodNotAllowed();
        const before = this.#existing(type, target);
        return { status: 200, body: this.#update(request, before, this.#asObject(request, request.body)) };
      }
      case 'patch':
        if (target.name === undefined) throw methodNotAllowed();
        return this.#patch(request);
      case 'delete':
        return { status: 200, body: this.#delete(request) };
      default:
        throw methodNotAllowed();
    }
  }

  #existing(type: ResourceType, { namespace, name = '' }: Target): KubernetesObject {
    const object = this.#store.get(type, type.namespaced ? namespace : undefined, name);
    if (!object) throw notFound(type, name);
    return object;
  }

  /** @param applied field owners after a server-side apply; a plain write determines them itself */
  #create(request: ResourceRequest, object: KubernetesObject, applied?: ManagedFields[]): KubernetesObject {
    const { type, user } = request;
    const { metadata } = object;
    if (metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    const { namespace, generateName } = metadata;
    const home = namespace === undefined ? undefined : this.#store.get(typeOfKind('Namespace'), undefined, namespace);
    if (namespace !== undefined && !home) throw notFound(typeOfKind('Namespace'), namespace);
    if (!metadata.name && generateName) metadata.name = `${generateName}${randomBytes(3).toString('hex').slice(0, 5)}`;
    if (!metadata.name) throw invalid(type, '', 'metadata.name', 'Required value: name or generateName is required');
    const draft = admitted(type, object);
    if (home?.metadata.deletionTimestamp)
      throw forbidden(
        type,
        metadata.name,
        `unable to create new content in namespace ${namespace ?? ''} because it is being terminated`,
      );
    this.#admission.check('CREATE', type, draft);
    if (this.#store.get(type, namespace, metadata.name)) throw alreadyExists(type, metadata.name);
    checkEscalation(this.#authorizer, user, type, draft);
    if (applied) draft.metadata.managedFields = applied;
    else recordUpdate(type, undefined, draft, this.#writer(request));
    return this.#save(request, draft);
  }

  #update(
    request: ResourceRequest,
    before: KubernetesObject,
    object: KubernetesObject,
    applied?: ManagedFields[],
  ): KubernetesObject {
    const { type, user } = request;
    const { name, uid, creationTimestamp, generation, resourceVersion } = before.metadata;
    const asked = object.metadata;
    if (asked.resourceVersion && asked.resourceVersion !== resourceVersion) throw modified(type, name);
    if (asked.uid && asked.uid !== uid)
      throw conflict(
        type,
        name,
        `Precondition failed: UID in precondition: ${asked.uid}, UID in object meta: ${uid ?? ''}`,
      );
    object.metadata = {
      ...asked,
      ...(uid && { uid }),
      ...(creationTimestamp && { creationTimestamp }),
      ...(resourceVersion && { resourceVersion }),
      ...(generation && { generation }),
    };
    if (before.status !== undefined) object.status = before.status;
    const draft = admitted(type, object, before);
    this.#admission.check('UPDATE', type, draft);
    if (applied) draft.metadata.managedFields = applied;
    else recordUpdate(type, before, draft, this.#writer(request));
    const isSame = isDeepStrictEqual(
      [content(draft), ownership(draft.metadata.managedFields)],
      [content(before), ownership(before.metadata.managedFields)],
    );
    if (isSame) return before;
    if (generation !== undefined && !isDeepStrictEqual(draft.spec, before.spec))
      draft.metadata.generation = generation + 1;
    checkEscalation(this.#authorizer, user, type, draft);
    return this.#save(request, draft);
  }

  #patch(request: ResourceRequest): KubernetesAnswer {
    const { type, target, body, contentType } = request;
    if (contentType.startsWith('application/apply-patch')) return this.#apply(request);
    const patch = {
      'application/merge-patch+json': mergePatch,
      'application/strategic-merge-patch+json': strategicMergePatch,
      'application/json-patch+json': jsonPatch,
    }[contentType];
    if (!patch)
      throw new KubernetesFailure(
        415,
        'UnsupportedMediaType',
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/strategic-merge-patch+json',
      );
    const before = this.#existing(type, target);
    const patched = this.#asObject(request, patch(before, body));
    return { status: 200, body: this.#update(request, before, patched) };
  }

  #apply(request: ResourceRequest): KubernetesAnswer {
    const { type, target, info, user } = request;
    const manager = info.query.get('fieldManager');
    if (!manager)
      throw invalid(
        { group: 'meta.k8s.io', kind: 'PatchOptions' },
        '',
        'fieldManager',
        'Required value: is required for apply patch',
      );
    const applied = this.#asObject(request, request.body);
    if (applied.metadata.managedFields) throw badRequest('metadata.managedFields must be nil');
    const { namespace, name = '' } = target;
    const before = this.#store.get(type, type.namespaced ? namespace : undefined, name);
    // The one creation that a rule with resourceNames may allow: its name is in the path.
    if (!before) this.#authorizer.check(user, attributesOf(target, 'create'));
    const desired = admittedFields(type, applied);
    const force = info.query.get('force') === 'true';
    const after = applyFields(type, before, desired, { manager, time: timestamp(this.#now()), force });
    const { managedFields } = after.metadata;
    if (!before) return { status: 201, body: this.#create(request, after, managedFields) };
    if (applied.metadata.resourceVersion) after.metadata.resourceVersion = applied.metadata.resourceVersion;
    return { status: 200, body: this.#update(request, before, after, managedFields) };
  }

  #delete(request: ResourceRequest): object {
    const { type, target, body, info } = request;
    const before = this.#existing(type, target);
    const { name, namespace, uid = '', resourceVersion = '' } = before.metadata;
    const options = ((isRecord(body) && body.preconditions) || {}) as { uid?: string; resourceVersion?: string };
    if (options.uid !== undefined && options.uid !== uid)
      throw conflict(
        type,
        name,
        `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      );
    if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion)
      throw conflict(
        type,
        name,
        `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
      );
    this.#admission.check('DELETE', type, before);
    if (type.kind === 'Pod') return isDryRun(info) ? before : endPod(this.#store, before, this.#now());
    if (type.kind === 'Namespace') return isDryRun(info) ? before : this.#terminate(type, before);
    if (!isDryRun(info)) this.#store.remove(type, namespace, name);
    const { group, resource: kind } = type;
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name, ...(group && { group }), kind, uid },
    };
  }

  /** The namespace controller empties it and removes its finalizer; until then it is readable. */
  #terminate(type: ResourceType, before: KubernetesObject): KubernetesObject {
    const metadata = { ...before.metadata, deletionTimestamp: timestamp(this.#now()) };
    const isGoing = before.metadata.deletionTimestamp !== undefined;
    return isGoing ? before : this.#store.put(type, { ...before, metadata, status: { phase: 'Terminating' } });
  }

  #save({ type, info }: ResourceRequest, draft: KubernetesObject): KubernetesObject {
    return isDryRun(info) ? draft : this.#store.put(type, draft);
  }

  #writer({ manager }: ResourceRequest): { manager: string; time: string } {
    return { manager, time: timestamp(this.#now()) };
  }

  /** The body as an object with the type, namespace and name of the path. */
  #asObject({ type, target }: ResourceRequest, body: unknown): KubernetesObject {
    const { kind } = type;
    const apiVersion = apiVersionOf(type);
    if (!isRecord(body))
      throw badRequest(`the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind`);
    if ((body.kind ?? kind) !== kind || (body.apiVersion ?? apiVersion) !== apiVersion)
      throw badRequest(
        `the API version or kind in the data (${String(body.apiVersion)}, ${String(body.kind)}) does not match the expected API version and kind (${apiVersion}, ${kind})`,
      );
    const metadata = isRecord(body.metadata) ? { ...body.metadata } : {};
    if (type.namespaced) {
      metadata.namespace = metadata.namespace || target.namespace;
      if (metadata.namespace !== target.namespace)
        throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    } else Reflect.deleteProperty(metadata, 'namespace');
    if (target.name !== undefined) {
      metadata.name = metadata.name || target.name;
      if (metadata.name !== target.name)
        throw badRequest(
          `the name of the object (${String(metadata.name)}) does not match the name on the URL (${target.name})`,
        );
    }
    return { ...body, apiVersion, kind, metadata: { name: '', ...metadata } };
  }
}

/** The applied object in stored form: plain secret text as base64. */
function admittedFields(type: ResourceType, applied: KubernetesObject): KubernetesObject {
  if (type.kind !== 'Secret') return applied;
  const { data } = admitted(type, applied);
  const desired = { ...applied, ...(data !== undefined && { data }) };
  Reflect.deleteProperty(desired, 'stringData');
  return desired;
}

/** The content that must differ for a write to create a new version. */
function content(object: KubernetesObject): object {
  return { ...object, metadata: omit(object.metadata, 'resourceVersion', 'managedFields') };
}

function ownership(fields: readonly ManagedFields[] = []): object[] {
  return fields.map((owner) => omit(owner, 'time'));
}

function isDryRun({ query }: RequestInfo): boolean {
  return query.get('dryRun') === 'All';
}
