/** The calls of docs/warehouse-contract.md, as the shop sends them, at any address. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isDeepStrictEqual } from 'node:util';

export interface Warehouse {
  readonly url: string;
  readonly apiKey: string;
}

export interface WarehouseCall {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  /** The Idempotency-Key. */
  readonly key?: string;
  readonly body?: unknown;
}

export interface WarehouseResponse {
  /** The call, for messages. */
  readonly call: string;
  readonly status: number;
  readonly body: unknown;
}

/** The contract is broken. The message says what was called, what came, and what should have. */
export class ContractViolation extends Error {}

/** The contract: respond within five seconds. */
const DEADLINE_MS = 5_000;

/** Throws ContractViolation when there is no response within the contract's time, or it is no JSON. */
export async function call(
  warehouse: Warehouse,
  request: WarehouseCall,
): Promise<WarehouseResponse> {
  const name = nameOf(request);
  try {
    const { url, ...init } = httpOf(warehouse, request);
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const response = await fetch(url, { ...init, redirect: 'manual', signal });
    return { call: name, status: response.status, body: await response.json() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ContractViolation(`${name} was not answered in JSON within 5 s: ${reason}`);
  }
}

/** Sends the call whole and hangs up before the response. Rejects when it cannot be sent. */
export function callAndHangUp(warehouse: Warehouse, request: WarehouseCall): Promise<void> {
  const { url, method, headers, body } = httpOf(warehouse, request);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = send(url, { method, headers, timeout: DEADLINE_MS });
    sent.on('error', reject);
    sent.on('finish', () => {
      resolve();
      // The error of a connection that we cut ourselves comes after the promise is settled.
      sent.destroy();
    });
    sent.end(body);
  });
}

/** Throws ContractViolation unless the status is this and the body has these members. */
export function requireResponse(
  { call: name, status, body }: WarehouseResponse,
  expected: { readonly status: number; readonly body?: Readonly<Record<string, unknown>> },
): void {
  const has = Object.entries(expected.body ?? {}).every(([member, value]) =>
    isDeepStrictEqual(memberOf(body, member), value),
  );
  if (status === expected.status && has) return;
  const wanted = `${expected.status} ${JSON.stringify(expected.body ?? {})}`;
  throw new ContractViolation(
    `${name} returned ${status} ${JSON.stringify(body)}, expected ${wanted}`,
  );
}

/** A member of a JSON object; undefined when there is none. */
export function memberOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null
    ? Object.getOwnPropertyDescriptor(body, name)?.value
    : undefined;
}

function nameOf({ method = 'POST', path }: WarehouseCall): string {
  return `${method} ${path}`;
}

function httpOf(
  { url, apiKey }: Warehouse,
  { method = 'POST', path, key, body }: WarehouseCall,
): {
  readonly url: URL;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
} {
  return {
    url: new URL(path.slice(1), url.endsWith('/') ? url : `${url}/`),
    method,
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
}
