import { provisionDefinition } from '../state-machines/provision.ts';
import { stepNames } from '../shared/step-names.ts';

interface StateLike {
  Type: string;
  Next?: string;
  Default?: string;
  Choices?: { Next: string }[];
  Branches?: MachineLike[];
}
interface MachineLike {
  StartAt: string;
  States: Record<string, StateLike>;
}

const steps = new Set<string>([...stepNames, 'close']);
const branchTitles = ['billing', 'query', 'access'];
const id = (name: string) => name.replaceAll('-', '_');

/** The run as a Mermaid graph, drawn from the very definition that is deployed; waits and their choices are left out. */
export function renderDiagram(): string {
  const machine = provisionDefinition() as unknown as MachineLike;
  const parallel = Object.values(machine.States).find(({ Branches }) => Branches);
  const lines = ['flowchart LR'];
  parallel?.Branches?.forEach((branch, index) => {
    lines.push(
      `  subgraph ${branchTitles[index] ?? index} [" "]`,
      ...edges(branch).map((edge) => `    ${edge}`),
      '  end',
    );
  });
  const before = edges(machine);
  const entries = parallel?.Branches?.map(({ StartAt }) => `report_choice --> ${node(StartAt)}`) ?? [];
  const exits = parallel?.Branches?.map((branch) => `${id(lastStep(branch))} --> ${node(parallel.Next ?? '')}`) ?? [];
  return [...lines, ...[...before, ...entries, ...exits].map((edge) => `  ${edge}`)].join('\n');
}

function node(name: string): string {
  return `${id(name)}[${name}]`;
}

function edges(machine: MachineLike): string[] {
  const drawn = Object.keys(machine.States).filter((name) => steps.has(name));
  const found = drawn.flatMap((name) => nextSteps(machine, name).map((next) => `${node(name)} --> ${node(next)}`));
  return found.length > 0 ? found : drawn.map(node);
}

/** Steps that follow a step, through the states in between. */
function nextSteps(machine: MachineLike, name: string): string[] {
  const seen = new Set<string>();
  const follow = (state: string | undefined): string[] => {
    if (state === undefined || seen.has(state)) return [];
    seen.add(state);
    if (steps.has(state) && state !== name) return [state];
    const { Next, Default, Choices = [], Branches } = machine.States[state] ?? { Type: '' };
    if (Branches) return [];
    return [Next, Default, ...Choices.map((choice) => choice.Next)].flatMap(follow);
  };
  return follow(machine.States[name]?.Next);
}

function lastStep(machine: MachineLike): string {
  const last = Object.keys(machine.States).filter((name) => steps.has(name) && nextSteps(machine, name).length === 0);
  return last[0] ?? machine.StartAt;
}
