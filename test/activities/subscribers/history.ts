/** Orders of every scenario in a real database, and the log they wrote, as a pump would read it. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Subscriber } from '../../../activities/events/subscribers/subscriber.ts';
import type { Order } from '../../../domain/order.ts';
import { transitionOrder } from '../../../prisma/orders/transition.ts';
import { LOG_START, readLog, type LoggedEvent } from '../../../prisma/events/event-log.ts';
import {
  recordCancelled,
  recordCancelling,
  recordReserved,
  recordShipped,
} from '../../../prisma/orders/record-steps.ts';
import { recordNeedsAttention } from '../../../prisma/orders/needs-attention.ts';
import { recordResolved } from '../../../prisma/payments/step-decisions.ts';
import { openOrder } from '../../../prisma/orders/place-order.ts';
import { recordDeclined, recordPlaced } from '../../../prisma/orders/settle-order.ts';
import {
  claimOf,
  draftOf,
  openSeededDatabase,
  type SeededDatabase,
} from '../../prisma/seeded-database.ts';
import { eventually } from '../../support/eventually.ts';
import { useOpened } from '../../support/use-opened.ts';

export const SCENARIOS = ['placed', 'declined', 'cancelled', 'shipped', 'attended'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface Wish {
  readonly scenario: Scenario;
  readonly lines?: readonly { readonly sku: string; readonly quantity: number }[];
  readonly currency?: string;
}

export interface History extends SeededDatabase {
  /** Lets one order come to its scenario. */
  live(wish: Wish): Promise<Order>;
  /** The whole log, once all of it can be read: a transaction elsewhere on the server delays that. */
  log(): Promise<readonly LoggedEvent[]>;
}

/** What a person decides about a step that waits, with words that name somebody. */
export const DECISION = {
  step: 'capturePayment',
  decision: 'retry',
  note: 'called canary.person@example.com',
  actor: 'key_operator',
  resumes: 'reserved',
} as const;

export const useHistory = (): History => useOpened(openHistory);

async function openHistory(): Promise<History> {
  const shop = await openSeededDatabase();
  return {
    ...shop,
    async live({ scenario, lines, currency = 'EUR' }) {
      const draft = { ...draftOf(lines), currency };
      const opened = await openOrder(shop.db, claimOf(), draft);
      if (opened.kind !== 'opened') throw new Error(`not opened: ${opened.kind}`);
      await follow(shop, opened.order, scenario);
      return opened.order;
    },
    async log() {
      const events = await shop.db.event.count();
      return eventually(async () => {
        const { events: read } = await readLog(shop.db, { after: LOG_START, limit: 10_000 });
        expect(read.length).toBe(events);
        return read;
      });
    },
  };
}

/** What a pump gives the subscriber of these events. */
export function wanted(
  { types }: Subscriber,
  events: readonly LoggedEvent[],
): readonly LoggedEvent[] {
  return events.filter((event) => types.length === 0 || types.includes(event.type));
}

/** A signal that is never aborted. */
export const NEVER = new AbortController().signal;

async function follow({ db }: SeededDatabase, order: Order, scenario: Scenario): Promise<void> {
  const { id } = order;
  if (scenario === 'declined') {
    const response = { status: 402, body: '{}' };
    await recordDeclined(db, order, { code: 'insufficient_funds', reference: null, response });
    return;
  }
  const response = () => ({ status: 201, body: '{}' });
  await recordPlaced(db, order, { reference: `pi_${randomUUID()}`, response });
  if (scenario === 'placed') return;
  await recordReserved(db, id);
  if (scenario === 'cancelled') {
    await recordCancelling(db, id, { reason: 'requested_by_customer', request: 'cancel-1' });
    await recordCancelled(db, id, 'requested_by_customer');
    return;
  }
  if (scenario === 'attended') {
    const failure = 'capture: outcome unknown (deadline)';
    await recordNeedsAttention(db, id, { steps: [DECISION.step], failure });
    await recordResolved(db, id, DECISION);
  }
  await db.$transaction((tx) =>
    transitionOrder(tx, { orderId: id, type: 'order.paid', to: 'paid' }),
  );
  await recordShipped(db, id, { carrier: 'Test Parcel', trackingNumber: 'TP1' });
}
