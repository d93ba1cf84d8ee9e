/**
 * Every path an order can take, driven on a time-skipping server with real parts. Each is recorded
 * once per release; its name is the name of its history.
 */
import { expect, vi } from 'vitest';
import type { Mode, Place } from '../../local/sandbox/faults.ts';
import { cancelUpdate, statusQuery } from '../../workflows/checkout/contract.ts';
import { REJECTED } from '../support/compensations.ts';
import { followCase } from '../../services/payment-cases.ts';
import { atProvider, openCase } from '../support/cases.ts';
import { eventually } from '../support/eventually.ts';
import { orderIdOf, type CheckoutHandle, type RunningShop } from '../support/running-shop.ts';
import { answerShipment, resolve, update } from '../support/updates.ts';

export interface Path {
  readonly name: string;
  /** Armed before the order starts, once per `[provider, operation, mode, times]`. */
  readonly faults: readonly (readonly [Place['provider'], Place['operation'], Mode, number?])[];
  /** Makes a provider reject a call: its step fails permanently at once, without days of retries. */
  readonly reject?: (gateways: RunningShop['gateways']) => unknown;
  /** What happens while the order is in progress. */
  readonly meanwhile?: (shop: RunningShop, handle: CheckoutHandle) => Promise<void>;
  /** What the history must contain, or it is not the path it is named after. */
  readonly holds: readonly string[];
  /** Every step is an ordinary activity. */
  readonly inspectable?: true;
  /** The customer has agreed to SMS. */
  readonly sms?: true;
  /** No worker runs until `meanwhile` starts one. */
  readonly isBegunLater?: true;
  /** No parcel leaves the warehouse. */
  readonly isManual?: true;
  readonly ends: 'shipped' | 'cancelled' | 'cancelled from outside';
}

/** Arms the path's faults and rejections. */
export function arm(
  { sandbox, gateways }: RunningShop,
  { faults, reject }: Pick<Path, 'faults' | 'reject'>,
): void {
  for (const [provider, operation, mode, times] of faults) {
    const spec = times === undefined ? { mode } : { mode, times };
    sandbox.faults.set({ provider, operation }, spec);
  }
  reject?.(gateways);
}

export const PATHS: readonly Path[] = [
  { name: 'shipped', faults: [], holds: ['order', 'requestShipment'], ends: 'shipped' },
  {
    name: 'shipped-after-durable-retries',
    faults: [
      ['warehouse', 'reserve', 'fail_before', 3],
      ['payments', 'capture', 'answer_lost', 1],
      ['payments', 'lookup', 'down', 2],
      ['warehouse', 'ship', 'answer_lost', 2],
      ['mail', 'send', 'fail_before', 3],
    ],
    holds: ['EVENT_TYPE_ACTIVITY_TASK_COMPLETED', 'capturePayment'],
    ends: 'shipped',
  },
  {
    name: 'shipped-after-failed-look-ups',
    faults: [['warehouse', 'lookup', 'fail_before', 20]],
    holds: ['EVENT_TYPE_ACTIVITY_TASK_FAILED', 'EVENT_TYPE_TIMER_FIRED'],
    ends: 'shipped',
  },
  {
    name: 'shipped-by-callback',
    faults: [],
    meanwhile: async (shop, handle) => {
      await untilStatus(handle, 'paid');
      const where = { orderId: orderIdOf(handle), type: 'order.shipment_requested' };
      await eventually(async () => expect(await shop.db.event.count({ where })).toBe(1));
      await answerShipment(handle);
      await answerShipment(handle);
    },
    holds: ['EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED'],
    ends: 'shipped',
  },
  {
    name: 'shipped-by-callback-before-the-response',
    faults: [['warehouse', 'ship', 'answer_lost', 2]],
    meanwhile: (_shop, handle) => answerShipment(handle),
    holds: ['EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED'],
    ends: 'shipped',
  },
  {
    name: 'shipped-without-email',
    faults: [['mail', 'send', 'refuse']],
    holds: ['EVENT_TYPE_ACTIVITY_TASK_FAILED', 'recordNotificationFailed'],
    ends: 'shipped',
  },
  { name: 'shipped-with-sms', faults: [], sms: true, holds: ['"sms":true'], ends: 'shipped' },
  {
    name: 'shipped-without-sms',
    faults: [['sms', 'send', 'refuse']],
    sms: true,
    holds: ['EVENT_TYPE_ACTIVITY_TASK_FAILED', 'sms/shipped', 'recordNotificationFailed'],
    ends: 'shipped',
  },
  {
    name: 'shipped-after-an-operator-retried-the-capture',
    faults: [],
    reject: ({ payments }) => vi.spyOn(payments, 'capture').mockRejectedValue(REJECTED),
    meanwhile: async (_shop, handle) => {
      await untilNeedsAttention(handle);
      await resolve(handle, { step: 'capturePayment', decision: 'retry' });
    },
    holds: ['recordNeedsAttention', 'EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED'],
    ends: 'shipped',
  },
  {
    name: 'shipped-manually',
    faults: [],
    reject: ({ warehouse }) => vi.spyOn(warehouse, 'ship').mockRejectedValue(REJECTED),
    meanwhile: async (_shop, handle) => {
      await untilNeedsAttention(handle);
      await resolve(handle, { step: 'shipOrder', decision: 'skip' });
    },
    holds: ['recordNeedsAttention', 'cancelShipment'],
    isManual: true,
    ends: 'shipped',
  },
  {
    name: 'shipped-after-a-hold',
    faults: [],
    isBegunLater: true,
    meanwhile: async (shop, handle) => {
      const orderId = orderIdOf(handle);
      const { id } = await openCase(shop, orderId, ['reviews']);
      await followCase(shop.services, { kind: 'review', id });
      await shop.startWorker('checkouts');
      const where = { orderId, type: 'order.shipment_held' };
      await eventually(async () => expect(await shop.db.event.count({ where })).toBe(1));
      await atProvider(shop, `/payments/reviews/${id}/approve`);
      await followCase(shop.services, { kind: 'review', id });
    },
    holds: ['Held: review', 'shipmentReleased'],
    ends: 'shipped',
  },
  {
    name: 'warehouse-refused',
    faults: [['warehouse', 'reserve', 'refuse']],
    holds: ['warehouse_refused', 'voidOrRefundPayment'],
    ends: 'cancelled',
  },
  {
    name: 'warehouse-unavailable-past-the-deadline',
    faults: [['warehouse', 'reserve', 'down']],
    holds: ['deadline_passed', 'releaseStock'],
    ends: 'cancelled',
  },
  {
    name: 'payment-refused',
    faults: [['payments', 'capture', 'refuse']],
    holds: ['payment_refused', 'releaseStock'],
    ends: 'cancelled',
  },
  {
    name: 'shipping-refused',
    faults: [['warehouse', 'ship', 'refuse']],
    holds: ['shipping_refused', 'refunded'],
    ends: 'cancelled',
  },
  {
    name: 'shipping-refused-by-callback',
    faults: [['warehouse', 'callback', 'refuse']],
    holds: ['shipping_refused', 'recordShipmentRefused'],
    ends: 'cancelled',
  },
  {
    name: 'compensation-failed-then-resolved',
    faults: [['warehouse', 'ship', 'refuse']],
    reject: ({ payments, warehouse }) => [
      vi.spyOn(payments, 'refund').mockRejectedValue(REJECTED),
      vi.spyOn(warehouse, 'release').mockRejectedValue(REJECTED),
    ],
    meanwhile: async (_shop, handle) => {
      await untilNeedsAttention(handle);
      await resolve(handle, { step: 'releaseStock', decision: 'retry' });
      await eventually(async () => {
        const { waitingFor } = await handle.query(statusQuery);
        expect(waitingFor).toEqual(['voidOrRefundPayment']);
      });
      await resolve(handle, { step: 'voidOrRefundPayment', decision: 'skip' });
    },
    holds: ['recordNeedsAttention', 'recordResolved', 'releaseStock'],
    ends: 'cancelled',
  },
  {
    name: 'cancelled-before-shipping',
    faults: [['payments', 'capture', 'down']],
    meanwhile: async (_shop, handle) => {
      await untilFaultFires(handle, 'reserved');
      await cancel(handle);
    },
    holds: ['EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED', 'voidOrRefundPayment'],
    ends: 'cancelled',
  },
  {
    name: 'cancelled-while-shipping',
    faults: [['warehouse', 'ship', 'down']],
    meanwhile: async (_shop, handle) => {
      await untilFaultFires(handle, 'paid');
      await cancel(handle);
    },
    holds: ['EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED', 'cancelShipment', 'refunded'],
    ends: 'cancelled',
  },
  {
    name: 'cancel-refused-after-the-parcel-left',
    faults: [['warehouse', 'ship', 'answer_lost']],
    meanwhile: async (shop, handle) => {
      await untilFaultFires(handle, 'paid');
      await expect(cancel(handle)).rejects.toThrow();
      shop.sandbox.faults.clear();
    },
    holds: ['not_cancellable', 'already_shipped'],
    ends: 'shipped',
  },
  {
    name: 'inspectable-shipped',
    faults: [],
    inspectable: true,
    holds: ['"inspectable":true', 'EVENT_TYPE_ACTIVITY_TASK_COMPLETED'],
    ends: 'shipped',
  },
  {
    name: 'inspectable-shipped-after-retries',
    faults: [
      ['warehouse', 'reserve', 'fail_before', 3],
      ['payments', 'capture', 'answer_lost', 1],
      ['payments', 'lookup', 'down', 2],
      ['warehouse', 'ship', 'answer_lost', 2],
      ['mail', 'send', 'fail_before', 3],
    ],
    inspectable: true,
    holds: ['"inspectable":true', 'capturePayment'],
    ends: 'shipped',
  },
  {
    name: 'inspectable-compensation-failed-then-resolved',
    faults: [['warehouse', 'ship', 'refuse']],
    inspectable: true,
    reject: ({ payments }) => vi.spyOn(payments, 'refund').mockRejectedValue(REJECTED),
    meanwhile: async (_shop, handle) => {
      await untilNeedsAttention(handle);
      await resolve(handle, { step: 'voidOrRefundPayment', decision: 'retry' });
    },
    holds: ['"inspectable":true', 'recordNeedsAttention', 'releaseStock', 'refunded'],
    ends: 'cancelled',
  },
  {
    name: 'workflow-cancelled',
    faults: [['payments', 'capture', 'down']],
    meanwhile: async (_shop, handle) => {
      await untilFaultFires(handle, 'reserved');
      await handle.cancel();
    },
    holds: ['EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED'],
    ends: 'cancelled from outside',
  },
];

/** Waits for the rejected step. From then on the provider rejects nothing. */
async function untilNeedsAttention(handle: CheckoutHandle): Promise<void> {
  await untilStatus(handle, 'needs_attention');
  vi.restoreAllMocks();
}

async function untilStatus(handle: CheckoutHandle, status: string): Promise<void> {
  await eventually(async () => expect(await handle.query(statusQuery)).toMatchObject({ status }));
}

/** Waits until the order has the status and its step is retried as a durable activity. */
async function untilFaultFires(handle: CheckoutHandle, status: string): Promise<void> {
  await eventually(async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    expect(pendingActivities).toHaveLength(1);
  });
  await untilStatus(handle, status);
}

function cancel(handle: CheckoutHandle) {
  const arg = { reason: 'requested_by_customer', actor: 'op' } as const;
  return update(handle, { definition: cancelUpdate, arg });
}
