/** The shop's side in sandbox tests: clients of its providers and a receiver of their messages. */
import Stripe from 'stripe';
import { onTestFinished } from 'vitest';
import type { Provider } from '../../local/sandbox/faults.ts';
import { createSandbox } from '../../local/sandbox/sandbox.ts';
import type { Sandbox, SandboxOptions } from '../../local/sandbox/sandbox.ts';
import { readRequest, startHttpServer, type ReceivedRequest } from '../support/http-server.ts';

export const CALLBACK_SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes ...').toString('base64')}`;
/** For calls that must not time out on a busy machine. */
const TIMEOUT_MS = 30_000;

export const WEBHOOK_SECRET = 'whsec_payments';

/** A sandbox that ends with the test. Parcels leave at once and retries are short. */
export async function openSandbox(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await createSandbox({
    warehouseCallbackSecret: CALLBACK_SECRET,
    callbackDelayMs: 1,
    retryDelaysMs: [5, 10, 20, 40],
    ...options,
  });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** The official client, pointed at the sandbox. */
export function stripeOf(sandbox: Sandbox): Stripe {
  const { hostname, port } = new URL(sandbox.url);
  return new Stripe('sk_test_local', {
    host: hostname,
    port: Number(port),
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
    timeout: TIMEOUT_MS,
  });
}

export interface Authorization {
  readonly orderId: string;
  readonly paymentMethod?: string;
  readonly amountMinor?: number;
  readonly currency?: string;
  readonly key?: string;
  readonly timeoutMs?: number;
}

/** Authorizes as a checkout does: confirmed at once, captured later. */
export function authorize(stripe: Stripe, request: Authorization) {
  return stripe.paymentIntents.create(
    {
      amount: request.amountMinor ?? 1200,
      currency: request.currency ?? 'eur',
      payment_method: request.paymentMethod ?? 'pm_card_visa',
      confirm: true,
      capture_method: 'manual',
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { order_id: request.orderId },
    },
    {
      idempotencyKey: request.key ?? `${request.orderId}/authorize`,
      timeout: request.timeoutMs ?? TIMEOUT_MS,
    },
  );
}

export interface CallResult {
  readonly status: number;
  readonly body: unknown;
}

export interface Request {
  readonly path: string;
  readonly method?: string;
  readonly key?: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** One HTTP call with a bearer token; rejects when the connection is cut. */
export async function call(sandbox: Sandbox, request: Request): Promise<CallResult> {
  const response = await fetch(`${sandbox.url}${request.path}`, {
    method: request.method ?? 'POST',
    headers: {
      Authorization: 'Bearer warehouse_local',
      'Content-Type': 'application/json',
      ...(request.key === undefined ? {} : { 'Idempotency-Key': request.key }),
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    signal: request.signal ?? AbortSignal.timeout(TIMEOUT_MS),
  });
  return { status: response.status, body: await response.json() };
}

/** The reserve call of one order, with the key a shop gives it. */
export function reserveCall(orderId = 'ord_1', quantity = 1): Request {
  const body = { order_id: orderId, lines: [{ sku: 'mug-white', quantity }] };
  return { path: '/warehouse/reservations', key: `${orderId}/reserve`, body };
}

/** The shipping request of one order, with its callback at the shop's address. */
export function shipCall(shopUrl: string, orderId = 'ord_1'): Request {
  const body = {
    order_id: orderId,
    correlation_id: `${orderId}.ship`,
    callback_url: `${shopUrl}/callbacks/warehouse`,
    lines: [{ sku: 'mug-white', quantity: 1 }],
    recipient: {
      name: 'Ada',
      address: { line1: 'Street 1', city: 'Berlin', postal_code: '10115', country: 'DE' },
    },
  };
  return { path: '/warehouse/shipments', key: `${orderId}/ship`, body };
}

export interface Receiver {
  readonly url: string;
  readonly received: readonly ReceivedRequest[];
  /** Sets the status of later responses. */
  respondWith(status: number): void;
}

/** A shop that receives webhooks and callbacks; ends with the test. */
export async function openReceiver(): Promise<Receiver> {
  const received: ReceivedRequest[] = [];
  let status = 200;
  const server = await startHttpServer(async (incoming, outgoing) => {
    received.push(await readRequest(incoming));
    outgoing.writeHead(status).end();
  });
  onTestFinished(server.close);
  return {
    url: server.url,
    received,
    respondWith: (next) => {
      status = next;
    },
  };
}

/** What the ledger counted, as `operation` to number of effects. */
export function counted(sandbox: Sandbox, provider: Provider) {
  const counts: Record<string, number> = {};
  for (const { operation } of sandbox.ledgers[provider].effects()) {
    counts[operation] = (counts[operation] ?? 0) + 1;
  }
  return counts;
}
