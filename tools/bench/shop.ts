/** The running stack as the benchmarks use it: addresses, a product that never sells out, requests. */
import { randomUUID } from 'node:crypto';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { orderBody, stockProduct } from '../shop-requests.ts';
import type { LoadRequest } from './load.ts';

const SKU = 'bench-item';
const UNITS = 1_000_000;
const STOREFRONT = { authorization: 'Bearer hf_local_storefront' };

interface OrderedItem {
  readonly sku?: string;
  readonly paymentMethod?: string;
  /** A checkout that runs every step as an ordinary activity. */
  readonly inspectable?: boolean;
}

export interface BenchShop {
  readonly api: string;
  readonly sandbox: string;
  /** The next order, under its own key: by default of the product that never sells out. */
  order(item?: OrderedItem): LoadRequest;
  product(): LoadRequest;
}

/**
 * Finds the stack of HOLDFAST_HOME and adds stock. Throws when none runs. The command's first
 * argument is the address of another API of the same stack.
 */
export async function openBenchShop(): Promise<BenchShop> {
  const addresses = await loadAddresses(createHome(readStackConfig().HOLDFAST_HOME));
  const [, , api = addresses.api] = process.argv;
  await stockShop(api);
  return benchShop({ ...addresses, api });
}

/** Adds stock that no bench uses up. */
export async function stockShop(api: string): Promise<void> {
  await stockProduct(api, { sku: SKU, name: 'Bench item', priceMinor: 100 }, UNITS);
}

/** The requests to a shop that has stock. */
export function benchShop({ api, sandbox }: Pick<BenchShop, 'api' | 'sandbox'>): BenchShop {
  return {
    api,
    sandbox,
    product: () => ({ method: 'GET', path: `/v1/products/${SKU}`, headers: STOREFRONT }),
    order: ({ sku = SKU, paymentMethod = 'pm_card_visa', inspectable = false } = {}) => ({
      method: 'POST',
      path: '/v1/orders',
      headers: {
        ...STOREFRONT,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
        ...(inspectable && { prefer: 'inspectable' }),
      },
      body: JSON.stringify(
        orderBody({
          email: `${randomUUID()}@example.com`,
          name: 'Bench',
          lines: [{ sku, quantity: 1 }],
          paymentMethod,
        }),
      ),
    }),
  };
}
