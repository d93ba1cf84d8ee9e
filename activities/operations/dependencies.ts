/** The dependencies of the maintenance activities. */
import type { JobId, OrderId, RefundId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { PaymentCase } from '../../domain/payment-case.ts';
import type { Retention } from '../../domain/retention.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { WarehouseGateway } from '../../gateways/warehouse/warehouse.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { JobStart } from '../../prisma/jobs/job-status.ts';
import type { CheckoutStart } from '../../prisma/orders/orders.ts';
import type { RefundStart } from '../../prisma/payments/refunds.ts';
import type { RunState } from '../../workflows/operations/contract.ts';
import type { Resume } from '../../domain/attention.ts';

/** Why Temporal did not do it; `rejected`: for good, and the server says why. */
export type NotDone =
  { readonly kind: 'unavailable' } | { readonly kind: 'rejected'; readonly reason: string };

/** The checkout workflows as maintenance sees them. */
export interface CheckoutRuns {
  inspect(orderId: OrderId): Promise<{ readonly kind: RunState } | NotDone>;
  /** Starts a new run that continues the order; `replacing`: also terminates a failing one. */
  resume(
    order: CheckoutStart,
    resume: Resume,
    how: { readonly replacing: boolean },
  ): Promise<{ readonly kind: 'resumed' | 'running' } | NotDone>;
}

/** The refund workflows as maintenance sees them. */
export interface RefundRuns {
  inspect(refundId: RefundId): Promise<{ readonly kind: RunState } | NotDone>;
  /** Starts the refund's workflow, unless there is one. */
  start(refund: RefundStart): Promise<{ readonly kind: 'started' | 'already_started' } | NotDone>;
}

/** The workflows of jobs as maintenance sees them. */
export interface JobRuns {
  inspect(id: JobId): Promise<{ readonly kind: RunState } | NotDone>;
  /** Starts the job's workflow, unless it runs. */
  start(job: JobStart): Promise<{ readonly kind: 'started' | 'already_started' } | NotDone>;
  /** Ends a run that cannot proceed. */
  terminate(
    id: JobId,
    reason: string,
  ): Promise<{ readonly kind: 'terminated' | 'missing' } | NotDone>;
}

export type CaseName = Pick<PaymentCase, 'kind' | 'id'>;

export interface MaintenanceDependencies {
  readonly db: Database;
  readonly payments: PaymentGateway;
  readonly warehouse: WarehouseGateway;
  /** Looks a dispute, fraud warning or review up, and applies it, as the API does. */
  readonly followCase: (named: CaseName) => Promise<'done' | 'later' | 'unknown_payment'>;
  readonly checkouts: CheckoutRuns;
  readonly refunds: RefundRuns;
  /** Expires one overdue pending order, as the API does, or places it when it was paid in time. */
  readonly expireOrder: (
    order: Order,
  ) => Promise<
    | { readonly kind: 'expired' | 'not_waiting' }
    | { readonly kind: 'later'; readonly reason: string }
  >;
}

export interface SweepDependencies extends MaintenanceDependencies {
  readonly jobs: JobRuns;
  readonly retention: Retention;
}
