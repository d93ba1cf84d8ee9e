/** What happens to refunds at the provider: in its dashboard, and at the card's bank. */
import { z } from 'zod';
import type { RefundStatus } from '../../domain/refund.ts';
import type { Shop } from './shop.ts';

const made = z.object({ id: z.string() });

/** The refund with this id at the provider has another status there. */
export async function moveAtProvider(
  { sandbox }: Pick<Shop, 'sandbox'>,
  reference: string | null,
  status: RefundStatus,
): Promise<void> {
  await post(`${sandbox.url}/payments/refunds/${reference ?? ''}`, { status });
}

/** Refunds the payment in the dashboard. Returns the refund's id there. */
export async function refundInDashboard(
  { sandbox }: Pick<Shop, 'sandbox'>,
  paymentReference: string | null,
  refund: { readonly amount?: number; readonly status?: RefundStatus } = {},
): Promise<string> {
  const body = { payment_intent: paymentReference, ...refund };
  return made.parse(await post(`${sandbox.url}/payments/refunds`, body)).id;
}

async function post(url: string, body: object): Promise<unknown> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}
