/** A warehouse that has one unit fewer of a product than is ordered. */
import type { PlaceOrder } from './api.ts';
import type { Providers } from './providers.ts';

/** Lasts until the warehouse has been asked for the goods, or until the returned function is called. */
export function makeShort({ warehouseStock, calls }: Providers, { lines }: PlaceOrder): () => void {
  const [line] = lines;
  if (line === undefined) return () => {};
  const last = calls.calls().at(-1)?.id ?? 0;
  const end = (): void => {
    unsubscribe();
    warehouseStock.set(line.sku, null);
  };
  const unsubscribe = calls.subscribe(() => {
    const isAsked = calls
      .calls()
      .some((call) => call.id > last && call.operation === 'reserve' && call.status !== null);
    if (isAsked) end();
  });
  warehouseStock.set(line.sku, line.quantity - 1);
  return end;
}
