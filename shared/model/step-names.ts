import * as z from 'zod';
import { offboardingSteps, onboardingPhases, onboardingSteps } from './steps-and-outputs.ts';

export type Phase = keyof typeof onboardingPhases;
export type OnboardingStepName = keyof typeof onboardingSteps;
export type OffboardingStepName = keyof typeof offboardingSteps;
export type StepName = OnboardingStepName | OffboardingStepName;

/** Every step of an onboarding in the order a run shows it. */
export const onboardingStepNames = z.object(onboardingSteps).keyof().options;

/** Every step of an offboarding, in sequence. */
export const offboardingStepNames = z.object(offboardingSteps).keyof().options;

export const stepNames = [...onboardingStepNames, ...offboardingStepNames] as const;

/** The steps of each phase of an onboarding, in their order. */
export const phaseSteps = {
  preparation: z.object(onboardingPhases.preparation).keyof().options,
  billing: z.object(onboardingPhases.billing).keyof().options,
  query: z.object(onboardingPhases.query).keyof().options,
  identity: z.object(onboardingPhases.identity).keyof().options,
  access: z.object(onboardingPhases.access).keyof().options,
  proof: z.object(onboardingPhases.proof).keyof().options,
  publication: z.object(onboardingPhases.publication).keyof().options,
} satisfies Record<Phase, readonly OnboardingStepName[]>;

export const runKinds = ['onboarding', 'offboarding'] as const;
export type RunKind = (typeof runKinds)[number];

/** The steps of each kind of run. */
export const stepNamesOf: Record<RunKind, readonly StepName[]> = {
  onboarding: onboardingStepNames,
  offboarding: offboardingStepNames,
};

/** The kind of run that a step belongs to. */
export type KindOf<Name extends StepName> = Name extends OffboardingStepName ? 'offboarding' : 'onboarding';
