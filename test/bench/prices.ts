import { assumptions as plannedQuantities, prices as planned } from '../../shared/model/aws-prices.ts';

export const assumptions = {
  ...plannedQuantities,
  /** A consistent read of a run record of several kB. */
  tableReadUnits: 4,
} as const;

/** Prices that plans use, and prices that are too small to matter for one run. */
export const prices = {
  ...planned,
  dynamoReadUnit: 0.125 / 1_000_000,
  httpApiRequest: 1 / 1_000_000,
  /** Custom events, each up to 64 kB. */
  eventBusEvent: 1 / 1_000_000,
} as const;
