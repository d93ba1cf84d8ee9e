/** Stripe as the sandbox plays it: our gateway to it, and orders with money held there. */
import { afterEach } from 'vitest';
import { providerKey } from '../../domain/ids.ts';
import type { Intent, OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import type { BreakerListener } from '../../gateways/resilience/outcome.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { createSandbox } from '../../local/sandbox/sandbox.ts';
import type { Sandbox, SandboxOptions } from '../../local/sandbox/sandbox.ts';
import { useOpened } from '../support/use-opened.ts';
import { newOrderId, quickLimits } from './provider.ts';

export const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const AMOUNT = { amountMinor: 2_400, currency: 'EUR' };

/** A sandbox for a whole test file. After each test no fault is set. */
export function useSandbox(options: Partial<SandboxOptions> = {}): Sandbox {
  const sandbox = useOpened(() => createSandbox({ warehouseCallbackSecret: SECRET, ...options }));
  afterEach(() => sandbox.faults.clear());
  return sandbox;
}

/** The same limits for every kind of call. */
export function gatewayTo(
  sandbox: Pick<Sandbox, 'url'>,
  changes: Partial<CallLimits> = {},
  onBreakerChange?: BreakerListener,
): PaymentGateway {
  const limits = quickLimits(changes);
  return createStripePayments({
    apiKey: 'sk_test_local',
    apiUrl: sandbox.url,
    limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
    onBreakerChange,
  });
}

export function authorization(orderId: OrderId, paymentMethod = 'pm_card_visa') {
  return { key: providerKey(orderId, 'authorize'), orderId, amount: AMOUNT, paymentMethod };
}

/** An order with money held, and what each settling call needs. */
export async function held(gateway: PaymentGateway) {
  const orderId = newOrderId();
  const outcome = await gateway.authorize(authorization(orderId));
  if (outcome.kind !== 'authorized') throw new Error(`not authorized: ${outcome.kind}`);
  const { reference } = outcome;
  const request = (intent: Intent) => ({
    key: providerKey(orderId, intent),
    orderId,
    reference,
    amount: AMOUNT,
  });
  return { orderId, reference, request };
}

/** What was done to the order at the provider, in order. */
export function effectsAt(sandbox: Sandbox, orderId: OrderId) {
  return sandbox.ledgers.payments
    .effects()
    .filter(({ order_id }) => order_id === orderId)
    .map(({ operation }) => operation);
}
