/** What failed attempts leave behind: which step is retried, why, when again, and when that is over. */
import type { Info } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { createActivities, type ActivityDependencies } from '../../activities/index.ts';
import { BRIEF_DELAYS_MS } from '../../domain/failures.ts';
import type { OrderId } from '../../domain/ids.ts';
import { createLimits } from '../../gateways/resilience/limits.ts';
import { ProviderRejection } from '../../gateways/resilience/outcome.ts';
import { createHttpWarehouse } from '../../gateways/warehouse/http-warehouse.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { recordCancelling } from '../../prisma/orders/record-steps.ts';
import {
  countRetriedOrders,
  countRetriedSteps,
  findRetriedSteps,
} from '../../prisma/orders/retried-steps.ts';
import { countAttempt } from '../../prisma/orders/step-attempts.ts';
import { markRestarted } from '../../prisma/orders/stuck-orders.ts';
import { useSteps } from './steps.ts';

const steps = useSteps();

const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
/** Of a step at a provider (workflows/steps.ts), as the server hands it to the worker. */
const POLICY = { initialInterval: 1_000, backoffCoefficient: 1.125, maximumInterval: 600_000 };
const DAY_MS = 86_400_000;
const DURABLE = {
  startToCloseTimeoutMs: 15_000,
  scheduledTimestampMs: 0,
  currentAttemptScheduledTimestampMs: 0,
  scheduleToCloseTimeoutMs: DAY_MS,
  retryPolicy: POLICY,
};
const FAILURE = 'reserve: the warehouse answered HTTP 500';

type Run = (activities: ReturnType<typeof createActivities>) => Promise<unknown>;

/** One attempt as the worker would make it. */
async function attempt(
  info: Partial<Info>,
  run: Run,
  deps: Partial<ActivityDependencies> = {},
): Promise<unknown> {
  const { db, gateways } = steps;
  const warehouseCallbackUrl = 'http://127.0.0.1:9/callbacks/warehouse';
  const activities = createActivities({ db, ...gateways, warehouseCallbackUrl, ...deps });
  const logger = new DefaultLogger('ERROR');
  const environment = new MockActivityEnvironment({ ...DURABLE, ...info }, { logger });
  return environment.run(() => run(activities)).catch((error: unknown) => error);
}

const reserve =
  (orderId: OrderId): Run =>
  (activities) =>
    activities.reserveStock({ orderId });

const rowsOf = (orderId: OrderId) =>
  steps.db.stepAttempt.findMany({ where: { orderId }, orderBy: { step: 'asc' } });

/** From the last failure to the next attempt, in ms; null when none follows. */
async function waitOf(orderId: OrderId): Promise<number | null> {
  const [row] = await rowsOf(orderId);
  if (!row) throw new Error('no attempt was counted');
  const { nextAttemptAt, lastFailedAt } = row;
  return nextAttemptAt && nextAttemptAt.getTime() - lastFailedAt.getTime();
}

describe('the next attempt', () => {
  test.each([
    ['a local attempt is followed by a durable one at once', { isLocal: true }, 0],
    ['the first wait is the initial interval', { attempt: 1 }, 1_000],
    ['the fifth wait is longer by the coefficient', { attempt: 5 }, 1_602],
    ['no wait is longer than the maximum', { attempt: 200 }, 600_000],
    [
      'the last attempt is followed by none',
      { attempt: 5, retryPolicy: { ...POLICY, maximumAttempts: 5 } },
      null,
    ],
    [
      'an attempt at the end of the retry budget is followed by none',
      { attempt: 9, currentAttemptScheduledTimestampMs: DAY_MS - 500 },
      null,
    ],
  ])('after a failed attempt in an outage %s', async (_, info, expected) => {
    const orderId = await steps.orderAfter();
    steps.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
    await attempt(info, reserve(orderId));
    const [row] = await rowsOf(orderId);
    expect(row).toMatchObject({ step: 'reserveStock', attempts: 1, lastFailure: FAILURE });
    const waitMs = await waitOf(orderId);
    // Both times are rounded to milliseconds.
    if (expected === null) expect(waitMs).toBeNull();
    else expect(Math.abs((waitMs ?? -1) - expected)).toBeLessThanOrEqual(1);
  });

  test('a failure that is no outage waits as the workflow does, and is given up after the last wait', async () => {
    const orderId = await steps.orderAfter();
    const broken = { ...steps.gateways.mailer, send: () => Promise.reject(new TypeError('bug')) };
    const waits: (number | null)[] = [];
    const notify: Run = ({ notifyCustomer }) =>
      notifyCustomer({ orderId, notification: 'confirmed' });
    for (const _ of [...BRIEF_DELAYS_MS, 0]) {
      await attempt({}, notify, { mailer: broken });
      waits.push(await waitOf(orderId));
    }
    expect(waits.slice(0, -1)).toEqual(
      BRIEF_DELAYS_MS.map((ms): unknown => expect.closeTo(ms, -1)),
    );
    expect(waits.at(-1)).toBeNull();
  });

  test('a rejected request is followed by no attempt', async () => {
    const orderId = await steps.orderAfter();
    const reject = () => Promise.reject(new ProviderRejection('warehouse', 'http_422'));
    await attempt({}, reserve(orderId), {
      warehouse: { ...steps.gateways.warehouse, reserve: reject },
    });
    expect(await waitOf(orderId)).toBeNull();
  });

  test('an attempt that Temporal no longer waits for is not counted', async () => {
    const orderId = await steps.orderAfter();
    steps.sandbox.faults.set(RESERVE, { mode: 'fail_before' });
    await attempt({ startToCloseTimeoutMs: 0 }, reserve(orderId));
    expect(await rowsOf(orderId)).toEqual([]);
  });
});

test('while the circuit breaker is open, the cause is the last error that the provider gave', async () => {
  const orderId = await steps.orderAfter();
  const warehouse = createHttpWarehouse({
    baseUrl: steps.sandbox.url,
    apiKey: 'shop',
    limits: createLimits({ breakAfter: 1 }).warehouse,
  });
  steps.sandbox.faults.set(RESERVE, { mode: 'down' });
  const cause = 'reserve: connection to the warehouse lost';
  expect(await attempt({}, reserve(orderId), { warehouse })).toMatchObject({ message: cause });
  const failure = await attempt({}, reserve(orderId), { warehouse });
  expect(failure).toMatchObject({
    type: 'provider_unavailable',
    message: 'reserve: not called for now, last error: connection to the warehouse lost',
    cause: { message: cause },
  });
  expect(await rowsOf(orderId)).toMatchObject([{ attempts: 2, lastFailure: cause }]);
  // The breaker's wait, not the policy's.
  expect(await waitOf(orderId)).toBeGreaterThan(10_000);
});

test('the first success deletes the attempts, and a step that succeeds locally runs no statement for it', async () => {
  const orderId = await steps.orderAfter();
  await count(orderId, 'reserveStock');
  await attempt({ isLocal: true }, reserve(orderId));
  expect(await rowsOf(orderId)).toHaveLength(1);
  await attempt({ attempt: 2 }, reserve(orderId));
  expect(await rowsOf(orderId)).toEqual([]);
});

describe('what is retried', () => {
  test('a step is shown as retried only while its order can have it to do', async () => {
    const orderId = await steps.orderAfter();
    const all = ['reserveStock', 'capturePayment', 'shipOrder', 'voidOrRefundPayment'];
    for (const step of [...all, 'notify: confirmed', 'refund: rfd_none', 'recordShipped']) {
      await count(orderId, step);
    }
    const seen = async () =>
      (await findRetriedSteps(steps.db, orderId)).map(({ step }) => step).toSorted();
    expect(await seen()).toEqual(['notify: confirmed', 'recordShipped', 'reserveStock']);
    await steps.run('reserveStock', { orderId });
    expect(await seen()).toEqual(['capturePayment', 'notify: confirmed', 'recordShipped']);
    await steps.run('capturePayment', { orderId });
    // A cancel asks the warehouse while the order is paid, so compensations count from then on.
    const paid = ['notify: confirmed', 'recordShipped', 'shipOrder', 'voidOrRefundPayment'];
    expect(await seen()).toEqual(paid);
    const reason = 'requested_by_customer';
    await recordCancelling(steps.db, orderId, { reason, request: null });
    expect(await seen()).toEqual(['recordShipped', 'voidOrRefundPayment']);
  });

  test('a notification is shown as retried no longer than its retry budget of a day', async () => {
    const orderId = await steps.orderAfter();
    await count(orderId, 'notify: confirmed');
    const aDayAgo = new Date(Date.now() - DAY_MS - 1_000);
    await steps.db.stepAttempt.updateMany({
      where: { orderId },
      data: { lastFailedAt: aDayAgo, nextAttemptAt: aDayAgo },
    });
    expect(await findRetriedSteps(steps.db, orderId)).toEqual([]);
  });

  test('a step that waits for a person, or whose order a new run has taken over, is not shown as retried', async () => {
    const [waiting, restarted] = [await steps.orderAfter(), await steps.orderAfter()];
    for (const orderId of [waiting, restarted]) await count(orderId, 'reserveStock');
    const failure = 'down';
    await recordNeedsAttention(steps.db, waiting, { steps: ['reserveStock'], failure });
    await markRestarted(steps.db, restarted);
    for (const orderId of [waiting, restarted]) {
      expect(await rowsOf(orderId)).toMatchObject([{ attempts: 1, nextAttemptAt: null }]);
      expect(await findRetriedSteps(steps.db, orderId)).toEqual([]);
    }
  });

  test('the counts and gauges have the retried steps, and refunds by what they have in common', async () => {
    await steps.db.stepAttempt.deleteMany();
    expect(await countRetriedOrders(steps.db)).toEqual({ retrying: 0, oldestRetryAt: null });
    const [one, two] = [await steps.orderAfter(), await steps.orderAfter()];
    await count(one, 'reserveStock');
    await count(one, 'notify: refunded/rfd_1');
    await count(two, 'reserveStock');
    const hourAgo = new Date(Date.now() - 3_600_000);
    await steps.db.stepAttempt.updateMany({
      where: { orderId: two },
      data: { firstFailedAt: hourAgo },
    });
    expect(await countRetriedOrders(steps.db)).toEqual({
      retrying: 2,
      oldestRetryAt: hourAgo.toISOString(),
    });
    const counted = await countRetriedSteps(steps.db);
    expect(Object.fromEntries(counted.map(({ step, count: n }) => [step, n]))).toEqual({
      reserveStock: 2,
      'notify: refunded': 1,
    });
    const metrics = await (await steps.request('GET', '/metrics', { role: null })).text();
    expect(metrics).toContain('holdfast_steps_retrying{step="reserveStock"} 2\n');
    expect(Number(/^holdfast_oldest_retry_seconds (\S+)$/m.exec(metrics)?.[1])).toBeGreaterThan(
      3_599,
    );
    expect(metrics).toMatch(/^holdfast_orders\{status="placed"\} [1-9]/m);
    expect(metrics).toContain('holdfast_orders{status="needs_attention"}');
    expect(metrics).not.toContain('holdfast_orders{status="shipped"}');
  });
});

function count(orderId: OrderId, step: string): Promise<void> {
  const next = { kind: 'after', ms: 1_000 } as const;
  return countAttempt(steps.db, { orderId, step, failure: FAILURE, isOutage: true, next });
}
