import { onboardingStepNames, phaseSteps } from '../model/step-names.ts';

interface StateLike {
  Type: string;
  Next?: string;
  Default?: string;
  Choices?: { Next: string }[];
  Branches?: MachineLike[];
}
/** A state machine's definition, as far as the diagram shows it. */
export interface MachineLike {
  StartAt: string;
  States: Record<string, StateLike>;
}

/** Of the steps that may run a second time, only the one that decides about it is drawn. */
const steps = new Set<string>([...onboardingStepNames, 'discovery again', 'close']);
const id = (name: string) => name.replaceAll(/[- ]/g, '_');

/** An onboarding as a Mermaid graph, drawn from its deployed definition without waits and their choices. */
export function renderRunDiagram(machine: MachineLike): string {
  const [fork, parallel] = Object.entries(machine.States).find(([, { Branches }]) => Branches) ?? [];
  const lines = ['flowchart LR'];
  parallel?.Branches?.forEach((branch) => {
    lines.push(`  subgraph ${phaseOf(lastStep(branch))} [" "]`, ...edges(branch).map((edge) => `    ${edge}`), '  end');
  });
  const before = edges(machine);
  const forking = Object.keys(machine.States).find(
    (name) => steps.has(name) && statesAfter(machine, name).includes(fork ?? ''),
  );
  const entries = (parallel?.Branches ?? []).flatMap((branch) =>
    firstSteps(branch).map((name) => `${id(forking ?? '')} --> ${node(name)}`),
  );
  const exits = parallel?.Branches?.map((branch) => `${id(lastStep(branch))} --> ${node(parallel.Next ?? '')}`) ?? [];
  return [...lines, ...[...before, ...entries, ...exits].map((edge) => `  ${edge}`)].join('\n');
}

function phaseOf(step: string): string {
  const phase = Object.entries<readonly string[]>(phaseSteps).find(([, names]) => names.includes(step));
  return phase?.[0] ?? step;
}

function node(name: string): string {
  return `${id(name)}[${name}]`;
}

function edges(machine: MachineLike): string[] {
  const drawn = Object.keys(machine.States).filter((name) => steps.has(name));
  const found = drawn.flatMap((name) => nextSteps(machine, name).map((next) => `${node(name)} --> ${node(next)}`));
  return found.length > 0 ? found : drawn.map(node);
}

/** Steps, or the fork, that follow a state, through the states in between. */
function statesAfter(machine: MachineLike, name: string): string[] {
  const seen = new Set([name]);
  const follow = (state: string | undefined): string[] => {
    if (state === undefined || seen.has(state)) return [];
    seen.add(state);
    const { Next, Default, Choices = [], Branches } = machine.States[state] ?? { Type: '' };
    if (Branches ?? steps.has(state)) return [state];
    return [Next, Default, ...Choices.map((choice) => choice.Next)].flatMap(follow);
  };
  const { Next, Default, Choices = [] } = machine.States[name] ?? { Type: '' };
  return [Next, Default, ...Choices.map((choice) => choice.Next)].flatMap(follow);
}

function nextSteps(machine: MachineLike, name: string): string[] {
  return statesAfter(machine, name).filter((state) => steps.has(state));
}

function firstSteps(machine: MachineLike): string[] {
  return steps.has(machine.StartAt) ? [machine.StartAt] : nextSteps(machine, machine.StartAt);
}

function lastStep(machine: MachineLike): string {
  const last = Object.keys(machine.States).filter((name) => steps.has(name) && nextSteps(machine, name).length === 0);
  return last[0] ?? machine.StartAt;
}
