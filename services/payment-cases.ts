/**
 * Applies a dispute, an early fraud warning or a review as the provider has it now. A webhook or the
 * reconciliation says only that there is one, so they may come in any order, twice, late, and side by
 * side. A shipment that was held for the last open case is released by a signal.
 */
import type { Logger } from 'pino';
import { isOrderId, type OrderId } from '../domain/ids.ts';
import type { PaymentCase } from '../domain/payment-case.ts';
import type { PaymentGateway, ProviderCase } from '../gateways/payments.ts';
import type { Database } from '../prisma/client/client.ts';
import { caseAskedAt, findOrderOfCase, recordCase } from '../prisma/payments/cases.ts';
import { ignoredCases } from '../telemetry/payment-cases.ts';
import type { CheckoutClient } from '../temporal/checkout-client.ts';

export interface PaymentCaseDeps {
  readonly db: Database;
  readonly payments: PaymentGateway;
  readonly checkouts: Pick<CheckoutClient, 'shipmentReleased'>;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * `later`: the provider or Temporal does not respond, or our record of the payment is not written yet.
 * `unknown_payment`: of no payment of ours; it is counted.
 */
export type CaseOutcome = 'done' | 'later' | 'unknown_payment';

/** Looks the case up and applies it. Safe to repeat. */
export async function followCase(
  deps: PaymentCaseDeps,
  named: Pick<PaymentCase, 'kind' | 'id'>,
): Promise<CaseOutcome> {
  const askedAt = await caseAskedAt(deps.db);
  const looked = await deps.payments.lookUpCase(named);
  // Of another account, or of its test mode.
  if (looked.kind === 'absent') return ignore(deps, named);
  if (looked.kind !== 'found') return 'later';
  const { found } = looked;
  const order = await orderOf(deps, found);
  if (order === 'later') return 'later';
  if (order === null) return ignore(deps, named);
  const { reference: _reference, ...state } = found;
  const recorded = await recordCase(deps.db, order, { state, askedAt });
  if (recorded.kind === 'outdated' || !recorded.isHoldOver) return 'done';
  const { kind } = await deps.checkouts.shipmentReleased(order);
  return kind === 'unavailable' ? 'later' : 'done';
}

/** By the payment's reference; while that is not recorded, by the order that the payment names. */
async function orderOf(
  { db, payments }: PaymentCaseDeps,
  { reference }: ProviderCase,
): Promise<OrderId | 'later' | null> {
  if (reference === null) return null;
  const known = await findOrderOfCase(db, { reference });
  if (known !== null) return known.isRecorded ? known.orderId : 'later';
  const looked = await payments.lookUpReference(reference);
  if (looked.kind === 'absent') return null;
  if (looked.kind !== 'found') return 'later';
  const { orderId } = looked.payment;
  if (orderId === null || !isOrderId(orderId)) return null;
  const named = await findOrderOfCase(db, { orderId });
  // A second payment of the order is a discrepancy, which the reconciliation reports.
  if (named === null || named.reference !== null) return null;
  return named.isRecorded ? null : 'later';
}

function ignore(
  { log }: PaymentCaseDeps,
  { kind, id }: Pick<PaymentCase, 'kind' | 'id'>,
): CaseOutcome {
  ignoredCases.inc({ kind });
  log.warn({ case_id: id, kind }, 'a case at the payment provider is of no payment of ours');
  return 'unknown_payment';
}
