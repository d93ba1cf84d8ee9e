/**
 * Steps that are retried while an authorization is open. It expires after some days; shortly before,
 * a failing step stops its retries, so that the order is compensated in time.
 */
import { AUTHORIZATION_LIFETIME_MS, AUTHORIZATION_MARGIN_MS } from '../../domain/attention.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Payment } from '../../domain/payment.ts';
import type { Database } from '../../prisma/client/client.ts';
import { authorizationExpiring, isRetryable } from '../failures.ts';
import { requirePayment } from './dependencies.ts';

/** Rejects with `authorization_expiring` when another attempt would be too close to the expiry. */
export async function withAuthorizationCheck<T>(
  db: Database,
  step: { readonly orderId: OrderId; readonly name: string },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isRetryable(error)) throw error;
    if (!isExpiring(await requirePayment(db, step.orderId))) throw error;
    throw authorizationExpiring(step.name);
  }
}

function isExpiring({ status, amountMinor, captureBefore, createdAt }: Payment): boolean {
  const endsAtMs =
    captureBefore === null
      ? Date.parse(createdAt) + AUTHORIZATION_LIFETIME_MS
      : Date.parse(captureBefore);
  if (amountMinor === 0) return false;
  return status === 'authorized' && Date.now() > endsAtMs - AUTHORIZATION_MARGIN_MS;
}
