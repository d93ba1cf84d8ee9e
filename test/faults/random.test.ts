import { describe, expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import { OPERATIONS, type Faults, type Mode, type Place } from '../../local/sandbox/faults.ts';
import { expectCleanSlate, expectShipped } from '../support/expectations.ts';
import { paymentEffects } from '../support/shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { expectConsistent } from './records.ts';
import { test } from './matrix-case.ts';
import type { Random } from '../../tools/random.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { cancel, placed, placedByChallenge, recover } from './settling.ts';
import { times } from '../support/times.ts';

/** The cells of every step that calls a provider, as a title names them. */
const CELLS = ['S2', 'S5', 'S6', 'S7', 'S8', 'C1', 'C2', 'C3']
  .flatMap((row) => [`[${row}/F1]`, `[${row}/F2]`, `[${row}/F3]`])
  .join(' ');
const PLACES: readonly Place[] = [
  ...OPERATIONS.payments.map((operation) => ({ provider: 'payments', operation }) as const),
  ...OPERATIONS.warehouse.map((operation) => ({ provider: 'warehouse', operation }) as const),
  ...OPERATIONS.mail.map((operation) => ({ provider: 'mail', operation }) as const),
].filter(({ operation }) => !['webhook', 'callback'].includes(operation));
/** What a retry overcomes; a refusal ends the order. */
const MODES: readonly Mode[] = ['fail_before', 'answer_lost', 'hang', 'down'];
const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
const CALLBACK = { provider: 'warehouse', operation: 'callback' } as const;
const ORDERS = 30;

/** Each hang costs as much; a slow call without a fault is repeated too. */
const shop = useSkippingShop({ deadlines: { callMs: 500 } });
/** How often each operation's fault fired, counted whenever the faults are armed anew. */
const fired = new Map<string, number>();

describe('random faults', () => {
  const title = `${ORDERS} orders under random faults all settle, at least half ship, and no effect happens twice`;
  test(`${CELLS} ${title}`, async (proof) => {
    const random = createSeededRandom();
    await cancelledBeforeReserved(random);
    await refusedByTheWarehouse(random);
    rearm(() => ({
      mode: modeBy(random),
      rate: random.between(10, 29) / 100,
      seed: seedBy(random),
    }));
    const refusal = { mode: 'refuse', rate: 0.1, seed: seedBy(random) } as const;
    shop.sandbox.faults.set(CALLBACK, refusal);
    const keys = times(ORDERS, (index) => `any-${index}`);
    const orderIds = await placedUnder(...keys);
    await untilClosed(orderIds);
    rearm(() => null);

    for (const place of PLACES) {
      expect(fired.get(nameOf(place)), `how often ${nameOf(place)} fired`).toBeGreaterThan(0);
    }
    proof.fired([...fired.values()].reduce((sum, count) => sum + count, 0));
    expect(await countShipped(orderIds)).toBeGreaterThanOrEqual(ORDERS / 2);
    await expectAllSettled();
    await expectConsistent(shop);
  });
});

/** Cancelled while the warehouse is down: faults hit the first void, release and look-up. */
async function cancelledBeforeReserved(random: Random): Promise<void> {
  rearm(() => ({ mode: modeBy(random), times: 1 }));
  shop.sandbox.faults.set(RESERVE, { mode: 'down' });
  const orderIds = await placedUnder('early-1', 'early-2');
  for (const id of orderIds) await cancel(shop, id);
  await untilClosed(orderIds);
  expect(await countShipped(orderIds)).toBe(0);
}

/** Paid, then refused by the warehouse: a fault hits every other operation once. */
async function refusedByTheWarehouse(random: Random): Promise<void> {
  rearm(() => ({ mode: modeBy(random), times: 1 }));
  shop.sandbox.faults.set(CALLBACK, { mode: 'refuse' });
  const orderIds = await placedUnder('refused-1', 'refused-2');
  await untilClosed(orderIds);
  expect(await countShipped(orderIds)).toBe(0);
}

/** Every second one by a card whose bank asks the shopper to confirm. */
function placedUnder(...keys: readonly string[]): Promise<readonly OrderId[]> {
  return Promise.all(
    keys.map((key, index) => (index % 2 === 0 ? placed(shop, key) : placedByChallenge(shop, key))),
  );
}

async function untilClosed(orderIds: readonly OrderId[]): Promise<void> {
  for (const id of orderIds) await shop.checkoutOf(id).result();
}

/** Counts what fired so far, and arms every operation for which `spec` gives a fault. */
function rearm(spec: (place: Place) => Parameters<Faults['set']>[1] | null): void {
  const { faults } = shop.sandbox;
  for (const armed of faults.list()) {
    fired.set(nameOf(armed), (fired.get(nameOf(armed)) ?? 0) + armed.fired);
  }
  faults.clear();
  for (const place of PLACES) {
    const given = spec(place);
    if (given !== null) faults.set(place, given);
  }
}

/** Each order shipped or cancelled, in agreement with the providers' ledgers. Counts the shipped. */
async function countShipped(orderIds: readonly OrderId[]): Promise<number> {
  let shipped = 0;
  for (const id of orderIds) {
    const order = await shop.db.order.findUniqueOrThrow({ where: { id } });
    if (order.status === 'shipped') shipped += 1;
    if (order.status === 'shipped') await expectShipped(shop, id);
    else await expectCleanSlate(shop, id);
    expect(paymentEffects(shop, id)['authorize']).toBe(1);
  }
  return shipped;
}

async function expectAllSettled(): Promise<void> {
  await recover(shop);
  const settled: { in: OrderStatus[] } = { in: ['shipped', 'cancelled', 'expired', 'declined'] };
  expect(await shop.db.order.findMany({ where: { NOT: { status: settled } } })).toEqual([]);
}

function modeBy(random: Random): Mode {
  return random.pick(MODES);
}

function nameOf({ provider, operation }: Readonly<Record<'provider' | 'operation', string>>) {
  return `${provider}/${operation}`;
}

function seedBy(random: Random): number {
  return random.between(0, 999_999_999);
}
