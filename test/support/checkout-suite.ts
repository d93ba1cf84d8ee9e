/**
 * Runs a suite of checkout workflows twice: with cached workflows, and with every workflow task
 * replayed from the start, where nondeterminism cannot hide.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { createBench, type Bench } from './bench.ts';
import { createTimeSkippingEnv } from './temporal.ts';

export interface CheckoutSuite {
  readonly bench: Bench;
  readonly env: TestWorkflowEnvironment;
}

const WAYS = [
  { label: 'cached', cache: {} },
  { label: 'replayed at every task', cache: { maxCachedWorkflows: 0 } },
] as const;

/** `cached`: once only, for what takes long and has nothing new to replay. */
export function describeCheckout(
  name: string,
  define: (suite: CheckoutSuite) => void,
  ways: 'both' | 'cached' = 'both',
): void {
  describe.each(ways === 'both' ? WAYS : WAYS.slice(0, 1))(`${name} ($label)`, ({ cache }) => {
    const opened: { env?: TestWorkflowEnvironment; bench?: Bench } = {};
    const suite: CheckoutSuite = {
      get bench() {
        if (!opened.bench) throw new Error('the bench opens before the first test');
        return opened.bench;
      },
      get env() {
        if (!opened.env) throw new Error('the server starts before the first test');
        return opened.env;
      },
    };
    beforeAll(async () => {
      const env = await createTimeSkippingEnv();
      opened.env = env;
      const { client, nativeConnection: connection } = env;
      opened.bench = await createBench({ client, connection, ...cache });
    });
    afterEach(() => {
      suite.bench.sandbox.faults.clear();
    });
    afterAll(async () => {
      await opened.bench?.close();
      await opened.env?.teardown();
    });
    define(suite);
  });
}
