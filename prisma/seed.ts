/** What a fresh local stack sells, and its three API keys. Running it again changes nothing. */
import { hashApiKey, ROLES } from './access/api-keys.ts';
import type { Database } from './client/client.ts';

/** Prices are in EUR; `prices` are those in other currencies. */
const CATALOG: readonly {
  readonly sku: string;
  readonly name: string;
  readonly priceMinor: number;
  readonly prices?: Readonly<Record<string, number>>;
  readonly onHand: number;
}[] = [
  {
    sku: 'mug-white',
    name: 'White mug',
    priceMinor: 1200,
    prices: { JPY: 1_950, KWD: 4_000, USD: 1_350 },
    onHand: 100_000,
  },
  {
    sku: 'tee-black-m',
    name: 'Black T-shirt, M',
    priceMinor: 2500,
    prices: { USD: 2_800 },
    onHand: 100_000,
  },
  { sku: 'poster-a2', name: 'Poster, A2', priceMinor: 1900, onHand: 500 },
  { sku: 'last-one', name: 'The last one', priceMinor: 9900, onHand: 1 },
  { sku: 'sold-out', name: 'Sold out', priceMinor: 4900, onHand: 0 },
];

/** Keys every reader of the README knows: `main.ts` refuses them in production. */
export const LOCAL_API_KEYS = ROLES.map((role) => ({ role, key: `hf_local_${role}` }));

/** Adds the catalog with its stock, and the local API keys. */
export async function seed(db: Database): Promise<void> {
  for (const { onHand, prices = {}, ...product } of CATALOG) {
    await db.$transaction(async (tx) => {
      const added = await tx.product.createMany({
        data: [{ ...product, currency: 'EUR' }],
        skipDuplicates: true,
      });
      if (added.count === 0) return;
      await tx.productPrice.createMany({
        data: Object.entries(prices).map(([currency, priceMinor]) => ({
          sku: product.sku,
          currency,
          priceMinor,
        })),
      });
      await tx.stock.create({ data: { sku: product.sku, onHand } });
      if (onHand === 0) return;
      await tx.stockMovement.create({
        data: { sku: product.sku, delta: onHand, kind: 'adjusted', reason: 'seed', actor: 'seed' },
      });
    });
  }
  await db.apiKey.createMany({
    data: LOCAL_API_KEYS.map(({ role, key }) => ({
      id: `key_local_${role}`,
      name: `local ${role}`,
      role,
      keyHash: hashApiKey(key),
    })),
    skipDuplicates: true,
  });
}
