/**
 * Quotes a cart while its form is filled: checks it as an order is checked, and stores its prices when
 * nothing is wrong. Nothing is held.
 */
import { TaskCancelledError, timeout, TimeoutStrategy } from 'cockatiel';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { findOffers } from '../../prisma/catalog/products.ts';
import type { Database } from '../../prisma/client/client.ts';
import { findCreditOf } from '../../prisma/credit/accounts.ts';
import { insertQuote } from '../../prisma/orders/quotes.ts';
import { ProblemError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import type { QuoteBody } from '../schemas/quotes.ts';
import { checkCart, unitsBySku, type Cart, type CartProblem } from './cart.ts';
import { adjustmentBody } from './representations.ts';
import { creditInsufficient } from './responses.ts';

export interface QuoteDeps {
  readonly db: Database;
  readonly payments: Pick<PaymentGateway, 'limitsOf'>;
}

/** A cart, and whose store credit it is to spend. */
export interface QuotableCart extends Cart {
  readonly customer?: { readonly email: string } | undefined;
}

/** The shopper is filling in the form: a later answer is of no use. */
const QUOTE_DEADLINE_MS = 2_000;
const RETRY_SECONDS = 1;

const deadline = timeout(QUOTE_DEADLINE_MS, TimeoutStrategy.Aggressive);

/** `others`: what is wrong with the request beside its cart. Throws ProblemError after the deadline. */
export async function quoteCart(
  deps: QuoteDeps,
  cart: QuotableCart,
  others: readonly CartProblem[],
): Promise<QuoteBody> {
  try {
    return await deadline.execute(() => checkAndStore(deps, cart, others));
  } catch (error) {
    if (!(error instanceof TaskCancelledError)) throw error;
    throw new ProblemError({
      code: 'overloaded',
      detail: 'The cart was not checked in time. Nothing is held. Retry it.',
      retryAfterSeconds: RETRY_SECONDS,
    });
  }
}

async function checkAndStore(
  { db, payments }: QuoteDeps,
  cart: QuotableCart,
  others: readonly CartProblem[],
): Promise<QuoteBody> {
  const { currency } = cart;
  const [offers, credit] = await Promise.all([
    findOffers(db, [...unitsBySku(cart.lines).keys()]),
    creditProblems(db, cart),
  ]);
  const checked = checkCart(cart, { offers, limits: payments.limitsOf(currency) });
  const { lines, adjustments, totalMinor } = checked;
  const problems = [...others, ...checked.problems, ...credit];
  const stored =
    problems.length > 0 || totalMinor === null
      ? null
      : await insertQuote(db, { currency, lines, adjustments, totalMinor });
  return {
    object: 'quote',
    id: stored?.id ?? null,
    expires_at: stored?.expiresAt ?? null,
    currency,
    lines: lines.map(({ sku, name, quantity, unitPriceMinor, available }) => ({
      sku,
      name,
      quantity,
      unit_price_minor: unitPriceMinor,
      available,
    })),
    adjustments: adjustments.map(adjustmentBody),
    total_minor: totalMinor,
    problems,
  };
}

/** Of a customer who is not known yet nothing is asked. */
async function creditProblems(
  db: Database,
  { customer, currency, credit_minor: wantedMinor = 0 }: QuotableCart,
): Promise<readonly CartProblem[]> {
  if (customer === undefined || wantedMinor === 0) return [];
  const amountMinor = await findCreditOf(db, customer.email, currency);
  if (amountMinor >= wantedMinor) return [];
  const { detail } = creditInsufficient({ amountMinor, currency }, wantedMinor);
  return [{ code: 'credit_insufficient', detail, pointer: jsonPointer(['credit_minor']) }];
}
