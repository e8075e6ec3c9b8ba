import { KubernetesFailure } from './failure.ts';
import { type KubernetesObject, type ResourceType, typeOfKind } from './objects.ts';

export interface AdmissionRule {
  /** Kind that is rejected. */
  kind: string;
  /** @default every write */
  operation?: 'CREATE' | 'UPDATE' | 'DELETE';
  namespace?: string;
  name?: string;
  /** What the policy says. */
  message: string;
}

/** A policy engine's webhook in front of etcd. Rules can be added and removed at any time. */
export class Admission {
  readonly rules: AdmissionRule[] = [];

  check(operation: 'CREATE' | 'UPDATE' | 'DELETE', type: ResourceType, { metadata }: KubernetesObject): void {
    const rule = this.rules.find(
      (candidate) =>
        typeOfKind(candidate.kind) === type &&
        (candidate.operation ?? operation) === operation &&
        (candidate.namespace ?? metadata.namespace) === metadata.namespace &&
        (candidate.name ?? metadata.name) === metadata.name,
    );
    if (rule)
      throw new KubernetesFailure(
        403,
        'Forbidden',
        `admission webhook "validation.gatekeeper.sh" denied the request: ${rule.message}`,
      );
  }
}
