/** What a checkout accepts. */
import type { Resolution, Resume } from '../../domain/attention.ts';
import { CHECKOUT_STAGES } from '../../domain/checkout-steps.ts';
import { CANCEL_REASONS } from '../../domain/order.ts';
import type { ShipmentAnswer } from '../activities.ts';
import {
  actor,
  bool,
  count,
  currency,
  line,
  nullable,
  object,
  oneOf,
  optional,
  orderId,
  variants,
} from '../schema.ts';
import type { CancelRequest, CheckoutInput, ShipmentAnswered } from './contract.ts';

export const resolution = object<Resolution>({
  step: line(200),
  decision: oneOf(['retry', 'skip', 'cancel']),
  note: line(1_000),
  actor,
});

const resume = object<Resume>({
  from: oneOf(CHECKOUT_STAGES),
  cancelReason: nullable(oneOf(CANCEL_REASONS)),
  resolution: nullable(resolution),
  shippedManually: bool,
});

export const checkoutInput = object<CheckoutInput>({
  orderId,
  totalMinor: count,
  currency,
  inspectable: optional(bool),
  resume: optional(resume),
});

const answer = variants<ShipmentAnswer>({
  shipped: object({ kind: oneOf(['shipped']), carrier: line(200), trackingNumber: line(200) }),
  refused: object({ kind: oneOf(['refused']), reason: line(200) }),
});

export const shipmentAnswered = object<ShipmentAnswered>({ correlationId: line(255), answer });

export const cancelRequest = object<CancelRequest>({
  reason: oneOf(['requested_by_customer', 'requested_by_operator']),
  actor: optional(actor),
});
