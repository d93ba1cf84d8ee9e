/** One press of Buy: the trouble is armed, then the order is sent, once or twice at the same time. */
import type { ShopApi } from './api.ts';
import type { ArmedAt } from './offers.ts';
import type { Providers } from './providers.ts';
import {
  orderIdOf,
  withAnswers,
  type Purchase,
  type Purchases,
  type TimedAnswer,
} from './purchases.ts';
import { makeShort } from './shortage.ts';

export interface BuyDeps {
  readonly api: ShopApi;
  readonly providers: Providers;
  readonly purchases: Purchases;
}

export interface Press {
  readonly purchase: Omit<Purchase, 'answers' | 'atMs'>;
  readonly presses: number;
  readonly faults: readonly ArmedAt[];
  readonly isShort: boolean;
  /** False: the faults are armed for as often as one order meets them. */
  readonly isLasting: boolean;
}

/**
 * Sends the order and remembers the answers. Faults that were armed for this order alone are taken back
 * when none was placed and none can follow by pressing again.
 */
export async function buy(deps: BuyDeps, press: Press): Promise<Purchase> {
  const { providers } = deps;
  for (const { place, fault } of press.faults) {
    const { times, ...lasting } = fault;
    providers.faults.set(place, press.isLasting ? lasting : { ...lasting, times });
  }
  const restock = press.isShort ? makeShort(providers, press.purchase.order) : () => {};
  const purchase = await send(deps, { ...press.purchase, atMs: Date.now(), answers: [] }, press);
  const mayFollow = purchase.answers.some(({ status }) => status === null || status >= 500);
  if (orderIdOf(purchase) !== null || mayFollow) return purchase;
  restock();
  if (!press.isLasting) {
    for (const { place } of press.faults) providers.faults.remove(place);
  }
  return purchase;
}

/** Sends the same request once more, under the same key. */
export function pressAgain(deps: BuyDeps, purchase: Purchase): Promise<Purchase> {
  return send(deps, purchase, { presses: 1 });
}

async function send(
  { api, purchases }: BuyDeps,
  purchase: Purchase,
  { presses }: Pick<Press, 'presses'>,
): Promise<Purchase> {
  const answers = await Promise.all(
    Array.from({ length: presses }, async (): Promise<TimedAnswer> => {
      const sentAtMs = Date.now();
      return { ...(await api.place(purchase.order, purchase.key)), sentAtMs };
    }),
  );
  const known = withAnswers(purchases.find(purchase.key) ?? purchase, answers);
  purchases.put(known);
  return known;
}

/** Asks what became of the payment that the shopper confirmed at the bank, and remembers the answer. */
export async function confirm({ api, purchases }: BuyDeps, orderId: string): Promise<void> {
  const sentAtMs = Date.now();
  const answer = { ...(await api.confirm(orderId)), sentAtMs };
  const purchase = purchases.ofOrder(orderId);
  if (purchase !== undefined) purchases.put(withAnswers(purchase, [answer]));
}
