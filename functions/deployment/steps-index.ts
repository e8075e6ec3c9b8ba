import { existsSync } from 'node:fs';
import { stepNames } from '../../shared/model/step-names.ts';
import { functionKey } from '../../state-machines/states.ts';

/**
 * functions/steps/index.ts: every step that shared/model/steps-and-outputs.ts declares.
 * @throws if a declared step has no file
 */
export function renderStepsIndex(): string {
  for (const name of stepNames)
    if (!existsSync(`functions/steps/${name}.ts`))
      throw new Error(
        `shared/model/steps-and-outputs.ts declares the step ${name}, but functions/steps/${name}.ts is missing. Write it, and export ${functionKey(name)} from it.`,
      );
  const imports = stepNames.toSorted().map((name) => `import { ${functionKey(name)} } from './${name}.ts';`);
  const entries = stepNames.map((name) =>
    name === functionKey(name) ? `  ${name},` : `  '${name}': ${functionKey(name)},`,
  );
  return `import type { StepName } from '../../shared/model/step-names.ts';
import type { Step } from '../../shared/step/contract.ts';
${imports.join('\n')}

/** Every step by name. Generated from shared/model/steps-and-outputs.ts: npm run generate. */
export const steps: Record<StepName, Step> = {
${entries.join('\n')}
};
`;
}
