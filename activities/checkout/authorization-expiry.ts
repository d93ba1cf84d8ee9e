/**
 * Steps that wait while money is held. A hold lapses by itself after some days; shortly before, a
 * step that still gets no answer stops trying, so that the order is undone while that is orderly.
 */
import { AUTHORIZATION_LIFETIME_MS, AUTHORIZATION_MARGIN_MS } from '../../domain/attention.ts';
import type { Payment } from '../../domain/order.ts';
import { authorizationExpiring, mayBeTriedAgain } from '../failures.ts';

/** Rejects with `authorization_expiring` where a further try would come too near to the hold's end. */
export async function withAuthorizationCheck<T>(
  step: { readonly name: string; readonly payment: () => Promise<Payment> },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!mayBeTriedAgain(error)) throw error;
    if (!isHoldEnding(await step.payment())) throw error;
    throw authorizationExpiring(step.name);
  }
}

function isHoldEnding({ status, captureBefore, createdAt }: Payment): boolean {
  const endsAtMs =
    captureBefore === null
      ? Date.parse(createdAt) + AUTHORIZATION_LIFETIME_MS
      : Date.parse(captureBefore);
  return status === 'authorized' && Date.now() > endsAtMs - AUTHORIZATION_MARGIN_MS;
}
