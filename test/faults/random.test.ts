import { describe, expect } from 'vitest';
import { runRecovery } from '../../services/recovery.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import { OPERATIONS, type Faults, type Mode, type Place } from '../../local/sandbox/faults.ts';
import type { Random } from '../../tools/random.ts';
import { expectCleanSlate, expectShipped } from '../support/expectations.ts';
import { paymentEffects } from '../support/shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { expectConsistent } from './records.ts';
import { cell } from './matrix-case.ts';
import { createSeededRandom } from './seeded-random.ts';
import { cancel, placed } from './settling.ts';
import type { CellId } from './table.ts';

/** The cells of every step that asks a provider. */
const CELLS: readonly CellId[] = (
  ['S2', 'S5', 'S6', 'S7', 'S8', 'C1', 'C2', 'C3'] as const
).flatMap((row) => [`${row}/F1`, `${row}/F2`, `${row}/F3`] as const);
const PLACES: readonly Place[] = [
  ...OPERATIONS.payments.map((operation) => ({ provider: 'payments', operation }) as const),
  ...OPERATIONS.warehouse.map((operation) => ({ provider: 'warehouse', operation }) as const),
  ...OPERATIONS.mail.map((operation) => ({ provider: 'mail', operation }) as const),
].filter(({ operation }) => operation !== 'webhook' && operation !== 'callback');
/** What a retry gets over; a refusal is another fate. */
const MODES: readonly Mode[] = ['fail_before', 'answer_lost', 'hang', 'down'];
const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
const CALLBACK = { provider: 'warehouse', operation: 'callback' } as const;
const ORDERS = 30;
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 1_000, eventsKeptDays: 90 };

/** Each hang costs as much; a call without a fault that is later now and then is repeated too. */
const running = useSkippingShop({ deadlines: { callMs: 500 } });
/** How often each operation was struck, counted whenever the faults are armed anew. */
const struck = new Map<string, number>();

describe('random faults', () => {
  const title = `${ORDERS} orders under random faults all settle, at least half ship, and no effect happens twice`;
  cell(
    CELLS,
    title,
    async (proof) => {
      const random = createSeededRandom();
      await cancelledBeforeReserved(random);
      await refusedByTheWarehouse(random);
      rearm(() => ({
        mode: modeBy(random),
        rate: 0.1 + random.between(0, 19) / 100,
        seed: random.between(0, 1e9),
      }));
      running.shop.sandbox.faults.set(CALLBACK, {
        mode: 'refuse',
        rate: 0.1,
        seed: random.between(0, 1e9),
      });
      const orderIds = await Promise.all(
        Array.from({ length: ORDERS }, (_, at) => placed(running.shop, `any-${at}`)),
      );
      await untilClosed(orderIds);
      rearm(() => null);

      for (const place of PLACES) {
        expect(struck.get(nameOf(place)), `${nameOf(place)} was never struck`).toBeGreaterThan(0);
      }
      proof.fired([...struck.values()].reduce((sum, count) => sum + count, 0));
      expect(await countShipped(orderIds)).toBeGreaterThanOrEqual(ORDERS / 2);
      await expectAllSettled();
      await expectConsistent(running.shop);
    },
    300_000,
  );
});

/** Cancelled while the warehouse is away: the first void, release and look-up are struck. */
async function cancelledBeforeReserved(random: Random): Promise<void> {
  rearm(() => ({ mode: modeBy(random), times: 1 }));
  running.shop.sandbox.faults.set(RESERVE, { mode: 'down' });
  const orderIds = await placedUnder('early-1', 'early-2');
  for (const id of orderIds) await cancel(running.shop, id);
  await untilClosed(orderIds);
  expect(await countShipped(orderIds)).toBe(0);
}

/** Taken, paid, and refused by the warehouse after all: every other operation is struck once. */
async function refusedByTheWarehouse(random: Random): Promise<void> {
  rearm(() => ({ mode: modeBy(random), times: 1 }));
  running.shop.sandbox.faults.set(CALLBACK, { mode: 'refuse' });
  const orderIds = await placedUnder('refused-1', 'refused-2');
  await untilClosed(orderIds);
  expect(await countShipped(orderIds)).toBe(0);
}

function placedUnder(...keys: readonly string[]): Promise<readonly OrderId[]> {
  return Promise.all(keys.map((key) => placed(running.shop, key)));
}

async function untilClosed(orderIds: readonly OrderId[]): Promise<void> {
  for (const id of orderIds) await running.shop.checkoutOf(id).result();
}

/** Counts what struck so far, and arms every operation as told, or none. */
function rearm(spec: (place: Place) => Parameters<Faults['set']>[1] | null): void {
  const { faults } = running.shop.sandbox;
  for (const armed of faults.list()) {
    const name = `${armed.provider}/${armed.operation}`;
    struck.set(name, (struck.get(name) ?? 0) + armed.fired);
  }
  faults.clear();
  for (const place of PLACES) {
    const given = spec(place);
    if (given !== null) faults.set(place, given);
  }
}

/** Each order in its one fate, books and ledgers agreed. Gives how many have shipped. */
async function countShipped(orderIds: readonly OrderId[]): Promise<number> {
  let shipped = 0;
  for (const id of orderIds) {
    const order = await running.shop.db.order.findUniqueOrThrow({ where: { id } });
    if (order.status === 'shipped') shipped += 1;
    if (order.status === 'shipped') await expectShipped(running.shop, id);
    else await expectCleanSlate(running.shop, id);
    expect(paymentEffects(running.shop, id)['authorize']).toBe(1);
  }
  return shipped;
}

async function expectAllSettled(): Promise<void> {
  await runRecovery(running.shop.services, NOW);
  const rest: { in: OrderStatus[] } = { in: ['shipped', 'cancelled', 'expired', 'declined'] };
  expect(await running.shop.db.order.findMany({ where: { NOT: { status: rest } } })).toEqual([]);
}

function modeBy(random: Random): Mode {
  return random.pick(MODES);
}

function nameOf({ provider, operation }: Place): string {
  return `${provider}/${operation}`;
}
