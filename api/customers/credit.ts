/** Store credit of a customer: granted under an Idempotency-Key, and its representations. */
import type { CreditEntry } from '../../domain/credit.ts';
import { formatMoney, type Money } from '../../domain/money.ts';
import { insertCompletedKey, type KeyClaim } from '../../prisma/access/idempotency.ts';
import { recordAction, type Operator } from '../../prisma/access/operator-actions.ts';
import type { Database } from '../../prisma/client/client.ts';
import { grantCredit, type CreditGrant, type GrantOutcome } from '../../prisma/credit/grant.ts';
import { refused, withIdempotencyKey, type IdempotentOutcome } from '../http/idempotent.ts';
import { invalidRequest, type Problem } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import type { CreditEntryBody } from '../schemas/credit.ts';

/** The entry, the balance, the audit and the response are one transaction. */
export function grantToCustomer(
  db: Database,
  claim: KeyClaim,
  { by, ...grant }: Omit<CreditGrant, 'actor'> & { readonly by: Operator },
): Promise<IdempotentOutcome> {
  const { customerId: subject, amountMinor, currency, expiresAt } = grant;
  return withIdempotencyKey(db, claim, async () => {
    if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) {
      const pointer = jsonPointer(['expires_at']);
      return refused(invalidRequest([{ detail: 'The time has passed already.', pointer }]));
    }
    return db.$transaction(async (tx) => {
      const granted = await grantCredit(tx, { ...grant, actor: by.apiKeyId });
      if (granted.kind !== 'granted') return refused(problemOf(granted, currency));
      const data = { amount_minor: amountMinor, currency, entry_id: granted.entry.id };
      await recordAction(tx, by, { action: 'credit.granted', subject, data });
      const response = { status: 201, body: JSON.stringify(creditEntryBody(granted.entry)) };
      await insertCompletedKey(tx, claim, response);
      return response;
    });
  });
}

function problemOf(outcome: Exclude<GrantOutcome, { kind: 'granted' }>, currency: string): Problem {
  if (outcome.kind === 'customer_not_found') {
    return { code: 'customer_not_found', detail: 'No customer has this id.' };
  }
  const left = formatMoney({ amountMinor: outcome.leftMinor, currency });
  const detail = `The balance would exceed the largest amount. At most ${left} can be granted.`;
  return invalidRequest([{ detail, pointer: jsonPointer(['amount_minor']) }]);
}

export function creditEntryBody(entry: CreditEntry): CreditEntryBody {
  return {
    object: 'credit_entry',
    id: entry.id,
    customer_id: entry.customerId,
    kind: entry.kind,
    amount_minor: entry.amountMinor,
    currency: entry.currency,
    order_id: entry.orderId,
    refund_id: entry.refundId,
    expires_at: entry.expiresAt,
    reason: entry.reason,
    created_at: entry.createdAt,
  };
}

export function moneyBody({ amountMinor, currency }: Money) {
  return { amount_minor: amountMinor, currency };
}
