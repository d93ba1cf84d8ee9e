/** Brings our records of a payment's refunds up to the provider's, also those that were made there. */
import type { PaymentGateway } from '../gateways/payments.ts';
import type { Database } from '../prisma/client/client.ts';
import { applyProviderRefund, type AppliedRefund } from '../prisma/payments/provider-refunds.ts';
import { providerFailure } from './failures.ts';

/** Throws when the provider does not respond. */
export async function syncRefunds(
  { db, payments }: { readonly db: Database; readonly payments: PaymentGateway },
  paymentReference: string,
): Promise<readonly AppliedRefund[]> {
  const listed = await payments.listRefundsOf(paymentReference);
  if (listed.kind !== 'listed') throw providerFailure('list refunds', listed);
  const applied: AppliedRefund[] = [];
  // Oldest first, as they were made.
  for (const refund of listed.refunds.toReversed()) {
    applied.push(await applyProviderRefund(db, refund));
  }
  return applied;
}
