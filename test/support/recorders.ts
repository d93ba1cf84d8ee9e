/** Recorders of what the API asked of Temporal, for tests in which Temporal itself does not matter. */
import type { CheckoutClient } from '../../temporal/checkout-client.ts';
import type { DeliveryClient } from '../../temporal/delivery-client.ts';
import type { JobClient } from '../../temporal/job-client.ts';
import type { RefundClient } from '../../temporal/refund-client.ts';
import type { ReconciliationClient } from '../../temporal/reconciliation-client.ts';
import type { Delivery } from '../../domain/delivery.ts';
import type { JobId, OrderId } from '../../domain/ids.ts';
import type { JobStart } from '../../prisma/jobs/job-status.ts';
import type { CheckoutStart } from '../../prisma/orders/orders.ts';
import type { RefundStart } from '../../prisma/payments/refunds.ts';
import type { Resolution } from '../../domain/attention.ts';
import type { ShipmentAnswered } from '../../workflows/checkout/contract.ts';
import type { NotificationInput } from '../../workflows/events/contract.ts';

/** Temporal as far as the API sees it: what was asked, and whether it can be reached. */
export interface RecordedCheckouts extends CheckoutClient {
  readonly started: CheckoutStart[];
  readonly answers: { readonly orderId: OrderId; readonly answered: ShipmentAnswered }[];
  /** Orders whose shipment is to be looked up at once. */
  readonly lookUps: OrderId[];
  readonly released: OrderId[];
  readonly resolved: { readonly orderId: OrderId; readonly resolution: Resolution }[];
  /** False: no step waits for a person. */
  waiting: boolean;
  reachable: boolean;
}

/** The same for the workflows that carry events and notifications. */
export interface RecordedDeliveries extends DeliveryClient {
  readonly subscriptions: string[];
  readonly deliveries: Delivery[];
  readonly notifications: NotificationInput[];
}

/** The same for refunds. */
export interface RecordedRefunds extends RefundClient {
  readonly started: RefundStart[];
  readonly retried: RefundStart[];
  readonly woken: RefundStart[];
}

/** The same for reconciliations, by their ids. */
export interface RecordedReconciliations extends ReconciliationClient {
  readonly started: string[];
}

/** The same for jobs. */
export interface RecordedJobs extends JobClient {
  readonly started: JobStart[];
  readonly cancelled: JobId[];
}

/** All five. Temporal is unavailable to each while `checkouts.reachable` is false. */
export interface Recorders {
  readonly checkouts: RecordedCheckouts;
  readonly deliveries: RecordedDeliveries;
  readonly refunds: RecordedRefunds;
  readonly reconciliationClient: RecordedReconciliations;
  readonly jobs: RecordedJobs;
}

export function createRecorders(): Recorders {
  const checkouts = createCheckoutRecorder();
  return {
    checkouts,
    deliveries: createDeliveryRecorder(checkouts),
    refunds: createRefundRecorder(checkouts),
    reconciliationClient: createReconciliationRecorder(checkouts),
    jobs: createJobRecorder(checkouts),
  };
}

/** Forgets what was recorded; Temporal is reachable, and a step waits. */
export function resetRecorders(recorders: Recorders): void {
  Object.assign(recorders.checkouts, { reachable: true, waiting: true });
  const { checkouts, deliveries, refunds, reconciliationClient, jobs } = recorders;
  for (const recorder of [checkouts, deliveries, refunds, reconciliationClient, jobs]) {
    for (const recorded of Object.values(recorder)) {
      if (Array.isArray(recorded)) recorded.length = 0;
    }
  }
}

function createCheckoutRecorder(): RecordedCheckouts {
  const recorder: RecordedCheckouts = {
    started: [],
    answers: [],
    lookUps: [],
    released: [],
    resolved: [],
    waiting: true,
    reachable: true,
    async start(order) {
      if (!recorder.reachable) return { kind: 'unavailable' };
      recorder.started.push(order);
      return { kind: 'started' };
    },
    async cancel() {
      return { kind: 'unavailable' };
    },
    async shipmentAnswered(orderId, answered) {
      if (!recorder.reachable) return { kind: 'unavailable' };
      recorder.answers.push({ orderId, answered });
      return { kind: 'delivered' };
    },
    async lookUpShipment(orderId) {
      if (!recorder.reachable) return { kind: 'unavailable' };
      recorder.lookUps.push(orderId);
      return { kind: 'delivered' };
    },
    async shipmentReleased(orderId) {
      if (!recorder.reachable) return { kind: 'unavailable' };
      recorder.released.push(orderId);
      return { kind: 'delivered' };
    },
    async resolve(orderId, resolution) {
      if (!recorder.reachable) return { kind: 'unavailable' };
      if (!recorder.waiting) return { kind: 'not_waiting' };
      recorder.resolved.push({ orderId, resolution });
      return { kind: 'resolved' };
    },
    async inspect() {
      return { kind: recorder.reachable ? 'running' : 'unavailable' };
    },
    async resume() {
      return { kind: recorder.reachable ? 'resumed' : 'unavailable' };
    },
    async unavailableReason() {
      return recorder.reachable ? null : 'no response';
    },
  };
  return recorder;
}

function createDeliveryRecorder(temporal: RecordedCheckouts): RecordedDeliveries {
  const started = (record: () => void) => {
    if (!temporal.reachable) return { kind: 'unavailable' } as const;
    record();
    return { kind: 'started' } as const;
  };
  const recorder: RecordedDeliveries = {
    subscriptions: [],
    deliveries: [],
    notifications: [],
    ensureSubscriptionRuns: async (name) => started(() => recorder.subscriptions.push(name)),
    startDelivery: async (input) => started(() => recorder.deliveries.push(input)),
    startNotification: async (input) => started(() => recorder.notifications.push(input)),
  };
  return recorder;
}

function createRefundRecorder(temporal: RecordedCheckouts): RecordedRefunds {
  const recorder: RecordedRefunds = {
    started: [],
    retried: [],
    woken: [],
    async start(refund) {
      if (!temporal.reachable) return { kind: 'unavailable' };
      recorder.started.push(refund);
      return { kind: 'started' };
    },
    async wake(refund) {
      if (!temporal.reachable) return { kind: 'unavailable' };
      recorder.woken.push(refund);
      return { kind: 'started' };
    },
    async retry(refund) {
      if (!temporal.reachable) return { kind: 'unavailable' };
      recorder.retried.push(refund);
      return { kind: 'started' };
    },
    async inspect() {
      return { kind: temporal.reachable ? 'running' : 'unavailable' };
    },
  };
  return recorder;
}

function createReconciliationRecorder(temporal: RecordedCheckouts): RecordedReconciliations {
  const started: string[] = [];
  return {
    started,
    async startReconciliation({ reconciliationId }) {
      if (!temporal.reachable) return { kind: 'unavailable' };
      started.push(reconciliationId);
      return { kind: 'started' };
    },
  };
}

function createJobRecorder(temporal: RecordedCheckouts): RecordedJobs {
  const recorder: RecordedJobs = {
    started: [],
    cancelled: [],
    async start(job) {
      if (!temporal.reachable) return { kind: 'unavailable' };
      recorder.started.push(job);
      return { kind: 'started' };
    },
    async cancel(id) {
      if (!temporal.reachable) return { kind: 'unavailable' };
      recorder.cancelled.push(id);
      return { kind: 'cancelled' };
    },
    async terminate() {
      return { kind: temporal.reachable ? 'terminated' : 'unavailable' };
    },
    async inspect() {
      return { kind: temporal.reachable ? 'running' : 'unavailable' };
    },
  };
  return recorder;
}
