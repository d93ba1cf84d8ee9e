/** One running checkout: what its parts share. */
import type { CancellationScope } from '@temporalio/workflow';
import type { ShipmentAnswer } from '../activities.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CancelReason } from '../../domain/order.ts';
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
  /** Everything a cancel may interrupt runs in here; undoing and finishing do not. */
  readonly forward: CancellationScope;
  phase: 'forward' | 'shipped' | 'undoing';
  /** Why the order is undone, once it is. */
  cancelReason: CancelReason;
  /** Id of the update that turned the order round. */
  cancelRequest: string | null;
  /** Steps that an earlier run of the order did, or a person settled by hand after it was gone. */
  readonly settled: Map<string, 'done' | 'skipped'>;
  /** The confirmation mail under way, beside shipping. */
  confirmation: Promise<void>;
  /** Set when the parcel had left before it could be called back. */
  shippedParcel: Parcel | null;
}
