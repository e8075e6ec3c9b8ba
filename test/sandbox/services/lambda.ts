import * as sdk from '@aws-sdk/client-lambda';
import { AwsError, operation, type Service } from '../service.ts';

interface Concurrency {
  total: number;
  /** By function name. */
  reserved: Map<string, number>;
}

/** An account's concurrent executions, per region. */
export class LambdaState {
  readonly #limits = new Map<string, Concurrency>();

  /** New accounts often start with 10. @default 1000 */
  setConcurrency(accountId: string, region: string, total: number): void {
    this.#of(accountId, region).total = total;
  }

  concurrency(accountId: string, region: string): { total: number; unreserved: number } {
    const { total, reserved } = this.#of(accountId, region);
    return { total, unreserved: [...reserved.values()].reduce((left, taken) => left - taken, total) };
  }

  /** Reserves concurrent executions for one function; a minimum must remain for the others. */
  reserve(accountId: string, region: string, functionName: string, amount: number): void {
    const { total, reserved } = this.#of(accountId, region);
    const minimum = total < 100 ? 10 : 100;
    const left = this.concurrency(accountId, region).unreserved + (reserved.get(functionName) ?? 0) - amount;
    if (left < minimum)
      throw new AwsError(
        'InvalidParameterValueException',
        `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${minimum}].`,
      );
    reserved.set(functionName, amount);
  }

  release(accountId: string, region: string, functionName: string): void {
    this.#of(accountId, region).reserved.delete(functionName);
  }

  #of(accountId: string, region: string): Concurrency {
    const key = `${accountId}/${region}`;
    const limits = this.#limits.get(key) ?? { total: 1000, reserved: new Map<string, number>() };
    this.#limits.set(key, limits);
    return limits;
  }
}

export const lambdaService: Service = {
  signingName: 'lambda',
  sdk,
  operations: {
    GetAccountSettings: operation<sdk.GetAccountSettingsCommandInput, sdk.GetAccountSettingsResponse>({
      writes: false,
      permissions: () => [{ action: 'lambda:GetAccountSettings', resources: ['*'] }],
      run(_, { world, caller, region }) {
        const { total, unreserved } = world.lambda.concurrency(caller.accountId, region);
        return {
          AccountLimit: {
            TotalCodeSize: 80_530_636_800,
            CodeSizeUnzipped: 262_144_000,
            CodeSizeZipped: 52_428_800,
            ConcurrentExecutions: total,
            UnreservedConcurrentExecutions: unreserved,
          },
          AccountUsage: { TotalCodeSize: 0, FunctionCount: 0 },
        };
      },
    }),
  },
};
