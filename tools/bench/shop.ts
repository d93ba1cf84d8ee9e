/** The running stack as the benchmarks use it: where it is, a product nobody runs out of, orders. */
import { randomUUID } from 'node:crypto';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import type { Ask } from './load.ts';

const SKU = 'bench-item';
const UNITS = 1_000_000;

export interface BenchShop {
  readonly api: string;
  readonly sandbox: string;
  /** The next order to place, under a key of its own. */
  order(): Ask;
  product(): Ask;
}

/**
 * Finds the stack of HOLDFAST_HOME and fills its shelf. Throws when none runs. The first argument of
 * the command is the address of another API beside the stack's own.
 */
export async function openBenchShop(): Promise<BenchShop> {
  const addresses = await loadAddresses(createHome(readStackConfig().HOLDFAST_HOME));
  const { sandbox } = addresses;
  const [, , api = addresses.api] = process.argv;
  const product = { name: 'Bench item', price_minor: 100, currency: 'EUR' };
  await change(`${api}/v1/products/${SKU}`, 'PUT', product);
  const stock = { delta: UNITS, reason: 'benchmark' };
  await change(`${api}/v1/products/${SKU}/stock`, 'POST', stock);
  return {
    api,
    sandbox,
    product: () => ({ method: 'GET', path: `/v1/products/${SKU}`, headers: bearer('storefront') }),
    order: () => ({
      method: 'POST',
      path: '/v1/orders',
      headers: {
        ...bearer('storefront'),
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: orderText(),
    }),
  };
}

function orderText(): string {
  return JSON.stringify({
    customer: { email: `${randomUUID()}@example.com`, name: 'Bench' },
    shipping_address: {
      line1: '1 Example Street',
      city: 'Berlin',
      postal_code: '10115',
      country: 'DE',
    },
    lines: [{ sku: SKU, quantity: 1 }],
    currency: 'EUR',
    payment_method: 'pm_card_visa',
  });
}

function bearer(role: string): Record<string, string> {
  return { authorization: `Bearer hf_local_${role}` };
}

async function change(url: string, method: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method,
    headers: {
      ...bearer('admin'),
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
}
