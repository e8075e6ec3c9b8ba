import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { openapiDocument } from '../../shared/api-document/openapi.ts';
import { renderClusterManifest } from '../../shared/cluster/provisioner-manifest.ts';
import { defaultNames } from '../../shared/cluster/provisioner-role.ts';
import { renderErrorPage } from '../../shared/reference-pages/error-page.ts';
import { renderEventsPage } from '../../shared/reference-pages/events-page.ts';
import { renderRunDiagram } from '../../shared/reference-pages/run-diagram.ts';
import { offboardDefinition } from '../../state-machines/offboard.ts';
import { provisionDefinition } from '../../state-machines/provision.ts';
import { routes } from '../api/index.ts';
import { renderAccessTemplate } from './access-templates.ts';
import { functionBlocks, vpcExtensions } from './function-blocks.ts';
import { functionRoles } from './roles.ts';
import { stateMachineFunctions } from './state-machine-functions.ts';
import { renderStepsIndex } from './steps-index.ts';

/** The page with the diagram of a run. */
const diagramPage = 'docs/architecture.md';

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Every committed file that follows from the code. */
export function generatedFiles(): Record<string, string> {
  return {
    'functions/steps/index.ts': renderStepsIndex(),
    'state-machines/provision.asl': json(provisionDefinition()),
    'state-machines/offboard.asl': json(offboardDefinition()),
    'functions/deployment/generated/functions.json': json(functionBlocks()),
    'functions/deployment/generated/roles.json': json(functionRoles()),
    'functions/deployment/generated/state-machines.json': json(stateMachineFunctions()),
    'functions/deployment/generated/vpc.json': json(vpcExtensions()),
    'docs/openapi.json': json(openapiDocument(Object.values(routes))),
    'docs/access/payer-provisioner.yaml': renderAccessTemplate('payer'),
    'docs/access/cluster-provisioner.yaml': renderAccessTemplate('cluster'),
    'docs/access/cluster-manifest.yaml': renderClusterManifest({
      namespace: 'kubecost',
      secretName: 'cloud-integration',
      ...defaultNames,
    }),
    'docs/errors.md': renderErrorPage(),
    'docs/events.md': renderEventsPage(),
    [diagramPage]: withDiagram(readFileSync(diagramPage, 'utf8')),
  };
}

/** The page with the run's diagram between its two markers. */
function withDiagram(page: string): string {
  const diagram = renderRunDiagram(provisionDefinition());
  const block = `<!-- diagram -->\n\n\`\`\`mermaid\n${diagram}\n\`\`\`\n\n<!-- /diagram -->`;
  return page.replace(/<!-- diagram -->[^]*<!-- \/diagram -->/, () => block);
}

/** Paths of generated files that differ from what the code says. */
export async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, content] of Object.entries(generatedFiles())) {
    const present = await readFile(path, 'utf8').catch(() => undefined);
    if (present !== content) stale.push(path);
  }
  return stale;
}
