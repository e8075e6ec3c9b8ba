import type { KubernetesObject, ObjectStore } from '../sandbox/index.ts';

/** What publications have done to a cluster so far. */
export interface Tally {
  secretWrites: number;
  previousWrites: number;
  rolls: number;
}

/** Counts from now on. Install Kubecost before. */
export function tallyPublications(store: ObjectStore, secretName: string): Tally {
  const tally: Tally = { secretWrites: 0, previousWrites: 0, rolls: 0 };
  store.watch(({ type, before, after }) => {
    if (type.kind === 'Secret' && after?.metadata.name === secretName) tally.secretWrites++;
    if (type.kind === 'Secret' && after?.metadata.name === `${secretName}-previous`) tally.previousWrites++;
    if (['Deployment', 'StatefulSet'].includes(type.kind) && before && templateOf(before) !== templateOf(after))
      tally.rolls++;
  });
  return tally;
}

function templateOf(object: KubernetesObject | undefined): string {
  return JSON.stringify((object as { spec?: { template?: object } } | undefined)?.spec?.template);
}
