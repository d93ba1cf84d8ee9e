/** Every call that the gateway makes at Stripe, with every parameter that it sends, and every test card. */
import { providerKey } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import { CASE_KINDS } from '../../domain/payment-case.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { newOrderId, quickLimits } from '../gateways/provider.ts';

const AMOUNT = { amountMinor: 2_400, currency: 'EUR' };
const MINUTE_MS = 60_000;

export function gatewayAt(apiUrl: string): PaymentGateway {
  const limits = quickLimits({ breakAfter: 1_000 });
  return createStripePayments({
    apiKey: 'sk_test_local',
    apiUrl,
    extendedAuthorization: 'if_available',
    limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
  });
}

/** The reference of a payment with this card; `pi_none` where nothing was created. */
async function pay(gateway: PaymentGateway, paymentMethod = 'pm_card_visa'): Promise<Paid> {
  const orderId = newOrderId();
  const key = providerKey(orderId, 'authorize');
  const outcome = await gateway.authorize({ key, orderId, amount: AMOUNT, paymentMethod });
  const reference = 'reference' in outcome ? outcome.reference : null;
  return { orderId, reference: reference ?? 'pi_none' };
}

export async function callEverything(gateway: PaymentGateway): Promise<void> {
  const paid = await pay(gateway);
  const { orderId, reference } = paid;
  await gateway.lookUp({ orderId, reference });
  await gateway.lookUpReference(reference);
  await gateway.lookUp({ orderId, reference: null });
  await gateway.lookUp({ orderId: olderOrder(), reference: null });
  await gateway.capture(settling(paid, 'capture', 2_000));
  const refund = await gateway.refund(settling(paid, 'refund', 500));
  await gateway.lookUpRefund('reference' in refund ? refund.reference : 're_none');
  await gateway.listRefundsOf(reference);
  await gateway.voidAuthorization(settling(await pay(gateway), 'void', 2_400));
  const window = { from: FROM, to: '2999-01-01T00:00:00Z' };
  await gateway.listPayments({ ...window, after: null });
  await gateway.listPayments({ ...window, after: reference });
  await gateway.listRefunds({ ...window, after: null });
  for (const kind of CASE_KINDS) {
    const page = await gateway.listCases({ ...window, kind, after: null });
    const [found] = page.kind === 'page' ? page.cases : [];
    await gateway.lookUpCase({ kind, id: found?.id ?? 'none' });
  }
}

/** What test cards bring at the sandbox, and what a bank and a reviewer do then. */
export async function playCards(gateway: PaymentGateway, sandboxUrl: string): Promise<void> {
  const control = (path: string, body: object) =>
    fetch(`${sandboxUrl}/payments${path}`, { method: 'POST', body: JSON.stringify(body) });
  for (const card of CARDS) {
    const paid = await pay(gateway, `pm_card_${card}`);
    await gateway.lookUp(paid);
    await gateway.capture(settling(paid, 'capture', 2_000));
    const refund = await gateway.refund(settling(paid, 'refund', 2_000));
    if (!('reference' in refund)) continue;
    for (const status of ['requires_action', 'failed']) {
      await control(`/refunds/${refund.reference}`, { status });
      await gateway.lookUpRefund(refund.reference);
    }
  }
  const { reference } = await pay(gateway);
  await control('/warnings', { payment_intent: reference });
  await control('/reviews', { payment_intent: reference });
  const window = { from: FROM, to: '2999-01-01T00:00:00Z', after: null };
  const page = await gateway.listCases({ ...window, kind: 'dispute' });
  for (const { id } of page.kind === 'page' ? page.cases : []) {
    for (const status of ['under_review', 'won'])
      await control(`/disputes/${id}/close`, { status });
  }
}

const FROM = '2001-01-01T00:00:00Z';
/** https://docs.stripe.com/testing */
const CARDS = [
  'visa',
  'chargeDeclined',
  'noSuchCard',
  'authenticationRequired',
  'createDispute',
  'createDisputeInquiry',
  'createIssuerFraudRecord',
  'riskLevelElevated',
  'pendingRefund',
];

interface Paid {
  readonly orderId: OrderId;
  readonly reference: string;
}

function settling(paid: Paid, step: 'capture' | 'void' | 'refund', amountMinor: number) {
  return { ...paid, key: providerKey(paid.orderId, step), amount: { ...AMOUNT, amountMinor } };
}

/** Old enough to be searched for. */
function olderOrder(): OrderId {
  return newOrderId(new Date(Date.now() - 10 * MINUTE_MS));
}
