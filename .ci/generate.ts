import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { routes } from '../functions/api/index.ts';
import { openapiDocument } from '../shared/api-document/openapi.ts';
import { renderClusterManifest } from '../shared/cluster/provisioner-manifest.ts';
import { defaultNames } from '../shared/cluster/provisioner-role.ts';
import { offboardDefinition } from '../state-machines/offboard.ts';
import { provisionDefinition } from '../state-machines/provision.ts';
import { renderAccessTemplate } from './access-templates.ts';
import { renderDiagram } from './diagram.ts';
import { renderErrorPage } from './error-page.ts';
import { renderEventsPage } from './events-page.ts';
import { functionRoles } from './roles.ts';

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Every committed file that follows from the code. */
export function generatedFiles(): Record<string, string> {
  return {
    'state-machines/provision.asl': json(provisionDefinition()),
    'state-machines/offboard.asl': json(offboardDefinition()),
    'functions/roles.json': json(functionRoles()),
    'docs/openapi.json': json(openapiDocument(routes)),
    'docs/access/payer-provisioner.yaml': renderAccessTemplate('payer'),
    'docs/access/cluster-provisioner.yaml': renderAccessTemplate('cluster'),
    'docs/access/cluster-manifest.yaml': renderClusterManifest({
      namespace: 'kubecost',
      secretName: 'cloud-integration',
      ...defaultNames,
    }),
    'docs/errors.md': renderErrorPage(),
    'docs/events.md': renderEventsPage(),
    'docs/architecture.md': withDiagram(readFileSync('docs/architecture.md', 'utf8')),
  };
}

/** The page with the diagram of a run between its two markers. */
function withDiagram(page: string): string {
  const block = `<!-- diagram -->\n\n\`\`\`mermaid\n${renderDiagram()}\n\`\`\`\n\n<!-- /diagram -->`;
  return page.replace(/<!-- diagram -->[^]*<!-- \/diagram -->/, () => block);
}

/** Paths of generated files that are not what the code says. */
export async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, content] of Object.entries(generatedFiles())) {
    const present = await readFile(path, 'utf8').catch(() => undefined);
    if (present !== content) stale.push(path);
  }
  return stale;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
  const stale = await staleFiles();
  if (values.check) {
    if (stale.length > 0) throw new Error(`not current, run npm run generate: ${stale.join(', ')}`);
    console.log('generated files are current');
  } else {
    const files = generatedFiles();
    for (const path of stale) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, files[path] ?? '');
      console.log(`wrote ${path}`);
    }
    if (stale.length === 0) console.log('nothing to do: generated files are current');
  }
}
