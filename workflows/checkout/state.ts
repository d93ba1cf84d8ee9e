/** One running checkout: the state that its parts share. */
import type { CancellationScope } from '@temporalio/workflow';
import type { OrderId } from '../../domain/ids.ts';
import type { CancelReason } from '../../domain/order.ts';
import type { ShipmentAnswer } from '../activities.ts';
import type { Attention } from './needs-attention.ts';
import type { Progress } from './progress.ts';
import type { Saga } from './saga.ts';
import type { Shipping } from './shipping.ts';

export type Parcel = Extract<ShipmentAnswer, { kind: 'shipped' }>;

export interface CheckoutRun {
  readonly orderId: OrderId;
  readonly progress: Progress;
  readonly saga: Saga;
  readonly shipping: Shipping;
  readonly attention: Attention;
  /** A cancel interrupts what runs in here. Compensating and finishing run outside. */
  readonly forward: CancellationScope;
  phase: 'forward' | 'shipped' | 'compensating';
  /** Why the order is cancelled, if it is. */
  cancelReason: CancelReason;
  /** Id of the update that cancelled the order. */
  cancelRequest: string | null;
  /** Who sent that update, if not the API. */
  cancelActor: string | null;
  /** Steps that an earlier run completed, or that an operator skipped. */
  readonly finishedSteps: Map<string, 'done' | 'skipped'>;
  /** The confirmation e-mail, which is sent while the order ships. */
  confirmation: Promise<void>;
  /** Set when the parcel left before the shipment could be cancelled. */
  shippedParcel: Parcel | null;
}
