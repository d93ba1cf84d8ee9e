/** A shop's client that does not give up: it repeats a request under its key until it is settled. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { isOrderId, type OrderId } from '../../../domain/ids.ts';
import { PERSON } from '../../support/bench.ts';
import { eventually } from '../../support/eventually.ts';

export interface Answered {
  readonly status: number;
  /** The body as it came. */
  readonly text: string;
}

export interface OrderRequest {
  readonly key: string;
  readonly quantity: number;
  readonly card: string;
}

export interface Client {
  /** One try; null when no answer came. */
  tryOnce(request: OrderRequest): Promise<Answered | null>;
  /** POST /v1/orders, repeated until it is settled. */
  place(request: OrderRequest): Promise<Answered>;
  /** POST of an operator under one key, repeated until it is settled. */
  operate(path: string, body: object): Promise<Answered>;
  /** The same, one try. */
  operateOnce(path: string, body: object): Promise<Answered | null>;
  get(path: string): Promise<Answered>;
}

const REQUEST_TIMEOUT_MS = 30_000;
const SETTLED_WITHIN_MS = 120_000;
const AGAIN_AFTER_MS = 250;

export const GOOD_CARD = PERSON.paymentMethod;
export const DECLINED_CARD = 'pm_card_chargeDeclinedInsufficientFunds';

export function newRequest(more: Partial<OrderRequest> = {}): OrderRequest {
  return { key: randomUUID(), quantity: 2, card: GOOD_CARD, ...more };
}

/** The order an answer names. */
export function orderIdIn({ status, text }: Answered): OrderId {
  const parsed = z.object({ id: z.string() }).safeParse(JSON.parse(text));
  if (!parsed.success || !isOrderId(parsed.data.id)) throw new Error(`${status}: ${text}`);
  return parsed.data.id;
}

export function createClient(url: string): Client {
  const send = async (path: string, init: RequestInit): Promise<Answered | null> => {
    try {
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      const answer = await fetch(`${url}${path}`, { ...init, signal });
      return { status: answer.status, text: await answer.text() };
    } catch {
      // The process is gone, or not there yet.
      return null;
    }
  };
  const insist = (request: () => Promise<Answered | null>): Promise<Answered> =>
    eventually(
      async () => {
        const answer = await request();
        if (answer === null || isTransient(answer)) {
          throw new Error(`never settled: ${answer?.status ?? 'no answer'} ${answer?.text ?? ''}`);
        }
        return answer;
      },
      { timeoutMs: SETTLED_WITHIN_MS, everyMs: AGAIN_AFTER_MS },
    );
  const tryOnce = ({ key, ...order }: OrderRequest): Promise<Answered | null> =>
    send('/v1/orders', post({ key, role: 'storefront', body: orderBody(order) }));
  const operator = (key: string, body: object) => post({ key, role: 'operator', body });
  return {
    tryOnce,
    place: (request) => insist(() => tryOnce(request)),
    operate: (path, body) => {
      const request = operator(randomUUID(), body);
      return insist(() => send(path, request));
    },
    operateOnce: (path, body) => send(path, operator(randomUUID(), body)),
    get: (path) => insist(() => send(path, { headers: headersOf('operator') })),
  };
}

/** 5xx, and a key whose first try still runs. */
function isTransient({ status, text }: Answered): boolean {
  return status >= 500 || (status === 409 && text.includes('request_in_flight'));
}

function post(sent: {
  readonly key: string;
  readonly role: 'storefront' | 'operator';
  readonly body: object;
}): RequestInit {
  const headers = {
    ...headersOf(sent.role),
    'content-type': 'application/json',
    'idempotency-key': sent.key,
  };
  return { method: 'POST', headers, body: JSON.stringify(sent.body) };
}

function headersOf(role: 'storefront' | 'operator'): { readonly authorization: string } {
  return { authorization: `Bearer hf_local_${role}` };
}

function orderBody({ quantity, card }: Omit<OrderRequest, 'key'>): object {
  return {
    customer: { email: PERSON.email, name: PERSON.name, phone: PERSON.phone },
    shipping_address: {
      line1: PERSON.street,
      city: 'Berlin',
      postal_code: '10115',
      country: 'DE',
    },
    lines: [{ sku: 'mug-white', quantity }],
    currency: 'EUR',
    payment_method: card,
  };
}
