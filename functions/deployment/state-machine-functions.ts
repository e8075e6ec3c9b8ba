import { offboardingStepNames, onboardingStepNames } from '../../shared/model/step-names.ts';
import { functionKey } from '../../state-machines/states.ts';
import { logicalPrefix } from './registry.ts';

/** The functions that each state machine invokes: by placeholder of its definition, and as the list in its role. */
export function stateMachineFunctions(): Record<string, { substitutions: object; functions: object[] }> {
  return { provision: functionsOf(onboardingStepNames), offboard: functionsOf(offboardingStepNames) };
}

function functionsOf(steps: readonly string[]): { substitutions: object; functions: object[] } {
  const keys = [...steps, 'close', 'keep-token'].map(functionKey);
  const arnOf = (key: string) => ({ 'Fn::GetAtt': [`${logicalPrefix(key)}LambdaFunction`, 'Arn'] });
  return {
    substitutions: Object.fromEntries(keys.map((key) => [`${key}Arn`, arnOf(key)])),
    functions: keys.map(arnOf),
  };
}
