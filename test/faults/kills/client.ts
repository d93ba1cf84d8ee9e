/** An API client that repeats a request under its key until it is settled. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { isOrderId, type OrderId } from '../../../domain/ids.ts';
import {
  canaryOrder,
  createApi,
  placeOrder,
  preferenceOf,
  type Line,
} from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';

export interface ApiResponse {
  readonly status: number;
  /** The body as received. */
  readonly text: string;
}

export interface OrderRequest extends Line {
  readonly key: string;
}

export interface Client {
  /** One attempt; null without a response. */
  tryOnce(request: OrderRequest): Promise<ApiResponse | null>;
  /** POST /v1/orders, repeated until it is settled. */
  place(request: OrderRequest): Promise<ApiResponse>;
  /** POST /v1/orders/{id}/confirm, repeated until there is an answer. */
  confirm(orderId: OrderId): Promise<ApiResponse>;
  /** An operator's POST under one key, repeated until it is settled. */
  operate(path: string, body: object): Promise<ApiResponse>;
  /** The same, in one attempt. */
  operateOnce(path: string, body: object): Promise<ApiResponse | null>;
  get(path: string): Promise<ApiResponse>;
}

const REQUEST_TIMEOUT_MS = 30_000;
const SETTLED_WITHIN_MS = 120_000;
const RETRY_AFTER_MS = 250;
const STOREFRONT = { authorization: 'Bearer hf_local_storefront' } as const;
const OPERATOR = { authorization: 'Bearer hf_local_operator' } as const;

/** Two white mugs by default. */
export function newRequest(line: Line = {}): OrderRequest {
  return { key: randomUUID(), ...line };
}

/** Store credit pays a part, so that whatever is killed has it to hold, spend and give back. */
export function withCredit(line: Line = {}): OrderRequest {
  return newRequest({ creditMinor: 300, ...line });
}

/** The id in the body of a response. */
export function parseOrderId({ status, text }: ApiResponse): OrderId {
  const parsed = z.object({ id: z.string() }).safeParse(JSON.parse(text));
  if (!parsed.success || !isOrderId(parsed.data.id)) throw new Error(`${status}: ${text}`);
  return parsed.data.id;
}

export function createClient(url: string): Client {
  const api = createApi(url);
  const send = async (
    call: (signal: AbortSignal) => Promise<Response>,
  ): Promise<ApiResponse | null> => {
    try {
      const response = await call(AbortSignal.timeout(REQUEST_TIMEOUT_MS));
      return { status: response.status, text: await response.text() };
    } catch {
      // The process was killed, or does not listen yet.
      return null;
    }
  };
  const untilSettled = (request: () => Promise<ApiResponse | null>): Promise<ApiResponse> =>
    eventually(
      async () => {
        const response = await request();
        if (response === null || isTransient(response)) {
          throw new Error(
            `not settled: ${response?.status ?? 'no response'} ${response?.text ?? ''}`,
          );
        }
        return response;
      },
      { timeoutMs: SETTLED_WITHIN_MS, everyMs: RETRY_AFTER_MS },
    );
  const tryOnce: Client['tryOnce'] = ({ key, ...line }) =>
    send((signal) => {
      const options = { key, signal, headers: preferenceOf(line) };
      return placeOrder(api, canaryOrder(line), options);
    });
  const post = (path: string, body: object, key: string) =>
    send((signal) => {
      const headers = { ...OPERATOR, 'content-type': 'application/json', 'idempotency-key': key };
      return fetch(`${url}${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        signal,
      });
    });
  return {
    tryOnce,
    place: (request) => untilSettled(() => tryOnce(request)),
    confirm: (orderId) =>
      untilSettled(() =>
        send((signal) => {
          const wanted = { method: 'POST', headers: STOREFRONT, signal };
          return fetch(`${url}/v1/orders/${orderId}/confirm`, wanted);
        }),
      ),
    operate(path, body) {
      const key = randomUUID();
      return untilSettled(() => post(path, body, key));
    },
    operateOnce: (path, body) => post(path, body, randomUUID()),
    get: (path) =>
      untilSettled(() => send((signal) => fetch(`${url}${path}`, { headers: OPERATOR, signal }))),
  };
}

/** 5xx, and a key whose first request is still running. */
function isTransient({ status, text }: ApiResponse): boolean {
  return status >= 500 || (status === 409 && text.includes('request_in_flight'));
}
