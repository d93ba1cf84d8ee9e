/** The worker's activities over real providers, run one by one as Temporal would run them. */
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, expect } from 'vitest';
import { isFailureType, type FailureType } from '../../domain/failures.ts';
import type { Activities } from '../../workflows/activities.ts';
import { createActivities, type ActivityDependencies } from '../../activities/index.ts';
import type { OrderId } from '../../domain/ids.ts';
import { readable } from '../../tools/audit/readable.ts';
import { CANARIES } from '../support/client.ts';
import { createGateways } from '../support/gateways.ts';
import { openShop, type Shop, type ShopOptions } from '../support/shop.ts';
import { useOpened } from '../support/use-opened.ts';

export type Name = keyof Activities;

export interface Attempts {
  /** One attempt. Throws what Temporal would see. */
  run<N extends Name>(name: N, input: Parameters<Activities[N]>[0]): Promise<unknown>;
  /** One attempt that must fail. Returns its failure, which must hold no personal data. */
  runFailing<N extends Name>(name: N, input: Parameters<Activities[N]>[0]): Promise<Failure>;
}

export interface Steps extends Shop, Attempts {
  /** With deadlines of `SHORT_DEADLINE_MS`, for an attempt whose call hangs. */
  readonly withShortDeadlines: Attempts;
  /** A placed order that has gone through the given steps. */
  orderAfter(...names: readonly Forward[]): Promise<OrderId>;
  /** The same database and providers, with some of them replaced. */
  replacing(deps: Partial<ActivityDependencies>): Attempts;
}

export interface Failure {
  readonly type: FailureType;
  readonly nonRetryable: boolean;
  readonly message: string;
  readonly nextRetryDelay: unknown;
}

type Forward = 'reserveStock' | 'capturePayment' | 'requestShipment';

/** Long enough that no parcel leaves during a test. */
const NEVER_MS = 600_000;

/** The duration of a call that hangs. Other calls might miss this deadline on a busy machine. */
export const SHORT_DEADLINE_MS = 500;

/** Steps for a whole test file. After each test no fault is set, and the clock is right. */
export function useSteps(): Steps {
  const steps = useOpened(createSteps);
  afterEach(() => {
    steps.sandbox.faults.clear();
    steps.sandbox.clock.setOffset(0);
  });
  return steps;
}

export async function createSteps(options: ShopOptions = {}): Promise<Steps> {
  const shop = await openShop({ callbackDelayMs: NEVER_MS, ...options });
  const deps: ActivityDependencies = {
    db: shop.db,
    ...shop.gateways,
    warehouseCallbackUrl: 'http://127.0.0.1:9/callbacks/warehouse',
  };
  const { run, runFailing } = attemptsWith(deps);
  const shortDeadlines = createGateways(shop.sandbox, { callMs: SHORT_DEADLINE_MS });
  return {
    ...shop,
    run,
    runFailing,
    withShortDeadlines: attemptsWith({ ...deps, ...shortDeadlines }),
    async orderAfter(...names) {
      const { orderId } = await shop.order();
      for (const name of names) await run(name, { orderId });
      return orderId;
    },
    replacing: (others) => attemptsWith({ ...deps, ...others }),
    async close() {
      shortDeadlines.mailer.close();
      await shop.close();
    },
  };
}

function attemptsWith(deps: ActivityDependencies): Attempts {
  const activities = createActivities(deps);
  const run: Attempts['run'] = async (name, input) => {
    const work = async (): Promise<unknown> => Reflect.apply(activities[name], undefined, [input]);
    const outcome = await new MockActivityEnvironment(DURABLE, { logger: QUIET }).run(work);
    // Temporal carries JSON: a value that changes in a round trip is a bug.
    expect(JSON.parse(JSON.stringify({ outcome }))).toStrictEqual(
      outcome === undefined ? {} : { outcome },
    );
    return outcome;
  };
  return {
    run,
    async runFailing(name, input) {
      const error: unknown = await run(name, input).then(
        (outcome) => `no failure: ${JSON.stringify(outcome)}`,
        (thrown: unknown) => thrown,
      );
      if (!(error instanceof ApplicationFailure)) throw new Error(readable(error));
      expectNoPersonalData(error);
      const { type, nonRetryable, message, nextRetryDelay } = error;
      return {
        type: failureType(type),
        nonRetryable: nonRetryable === true,
        message,
        nextRetryDelay,
      };
    },
  };
}

/** As the worker sees a durable attempt: a busy machine is not taken for one that gave up. */
const DURABLE = { startToCloseTimeoutMs: 15_000, scheduleToCloseTimeoutMs: 86_400_000 };
/** These tests provoke failures; each would print a stack. */
const QUIET = new DefaultLogger('ERROR');

/** Words of the sandbox's providers: their text must not reach a workflow's history. */
const PROVIDER_WORDS = ['issuer', 'mailbox', 'try again', 'sandbox', 'authorization.'];

function expectNoPersonalData(failure: ApplicationFailure): void {
  const { message, details, cause } = failure;
  const text = readable([message, details ?? [], cause?.message ?? '']);
  for (const canary of CANARIES) expect(text).not.toContain(canary);
  for (const word of PROVIDER_WORDS) expect(text.toLowerCase()).not.toContain(word);
}

/** The type as a member of the closed union; anything else fails the test. */
function failureType(type: string | null | undefined): FailureType {
  const name = type ?? '';
  if (!isFailureType(name)) throw new Error(`no failure type: ${name}`);
  return name;
}
