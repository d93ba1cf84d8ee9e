/**
 * Everything an order passes through, each part as it runs in production: API and worker as processes
 * of their own, the Temporal dev server, PostgreSQL, and the providers' sandbox over HTTP and SMTP.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { LOCAL_SECRETS } from '../../config/production.ts';
import { createSandbox, type Sandbox } from '../../local/sandbox/sandbox.ts';
import { shopSite } from '../../local/shop/site.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { seed } from '../../prisma/seed.ts';
import { createAppProcess, providersEnv, type AppProcess } from '../support/app-process.ts';
import { canaryOrder, createApi, placeOrder, type Line } from '../support/client.ts';
import { createCleanup, type OnClose } from '../support/cleanup.ts';
import { createTestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { choosePort } from '../support/ports.ts';
import { openNamespace, type Temporal } from '../support/temporal.ts';

export interface System {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly sandbox: Sandbox;
  readonly temporal: Temporal;
  readonly api: AppProcess;
  readonly worker: AppProcess;
  /**
   * POST /v1/orders of the canary person; two white mugs and a good card by default. Retried under its
   * key when the machine was too busy, never when the order could not be accepted without Temporal.
   */
  place(order?: Line & { readonly headers?: Record<string, string> }): Promise<ApiResponse>;
  /** GET /v1/orders/{id}; responds once the order is settled or after `waitSeconds`. */
  read(orderId: string, waitSeconds: number): Promise<ApiResponse>;
  /** Any request of an operator. */
  operate(method: string, path: string, body?: object): Promise<ApiResponse>;
  close(): Promise<void>;
}

export interface ApiResponse {
  readonly status: number;
  readonly body: unknown;
}

/** Codes that a client retries when the machine is busy. */
const BUSY = new Set([
  'overloaded',
  'database_unavailable',
  'payment_unavailable',
  'request_in_flight',
]);
const REQUEST_TIMEOUT_MS = 40_000;
/** Long enough that a signal has to travel, short enough not to slow a test down. */
const PARCEL_LEAVES_AFTER_MS = 150;

export interface SystemOptions {
  /** The dev server that all tests share unless given. */
  readonly temporalAddress?: string;
  /** More of the environment of API and worker. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function openSystem(options: SystemOptions = {}): Promise<System> {
  const { onClose, close } = createCleanup();
  try {
    return { ...(await open(onClose, options)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(onClose: OnClose, options: SystemOptions): Promise<Omit<System, 'close'>> {
  const database = await createTestDatabase();
  onClose(() => database.close());
  const db = createDatabase({ url: database.url, poolSize: 4 });
  onClose(() => closeDatabase(db));
  await seed(db);
  const port = await choosePort();
  const apiUrl = `http://127.0.0.1:${port}`;
  const sandbox = await createSandbox({
    ...shopSite({ apiUrl, storefrontKey: 'hf_local_storefront', temporalUi: null }),
    warehouseCallbackSecret: LOCAL_SECRETS.warehouseCallback,
    callbackDelayMs: PARCEL_LEAVES_AFTER_MS,
  });
  onClose(() => sandbox.close());
  const temporal = await openNamespace(options.temporalAddress);
  onClose(() => temporal.close());
  const env = {
    ...providersEnv(sandbox),
    PUBLIC_URL: apiUrl,
    SANDBOX_URL: sandbox.url,
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    ...options.env,
  };
  const api = await createAppProcess({ name: 'api', port, env: { ...env, ROLE: 'api' } });
  const worker = await createAppProcess({ name: 'worker', env: { ...env, ROLE: 'worker' } });
  for (const part of [api, worker]) onClose(() => part.stop());
  await Promise.all([api.start(), worker.start()]);
  return {
    db,
    databaseUrl: database.url,
    sandbox,
    temporal,
    api,
    worker,
    ...createCallers(api.url),
  };
}

function createCallers(url: string): Pick<System, 'place' | 'read' | 'operate'> {
  const storefront = createApi(url);
  const call = (path: string, init: RequestInit): Promise<ApiResponse> =>
    readResponse(
      fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) }),
    );
  return {
    place({ headers = {}, ...line } = {}) {
      const key = randomUUID();
      return eventually(
        async () => {
          const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
          const options = { key, headers, signal };
          const response = await readResponse(placeOrder(storefront, canaryOrder(line), options));
          const { code } = z.looseObject({ code: z.string().optional() }).parse(response.body);
          if (code !== undefined && BUSY.has(code)) throw new Error(code);
          return response;
        },
        { timeoutMs: 60_000, everyMs: 500 },
      );
    },
    read: (orderId, waitSeconds) =>
      call(`/v1/orders/${orderId}`, {
        headers: { authorization: 'Bearer hf_local_storefront', prefer: `wait=${waitSeconds}` },
      }),
    operate: (method, path, body) =>
      call(path, {
        method,
        headers: {
          authorization: 'Bearer hf_local_operator',
          'idempotency-key': randomUUID(),
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
      }),
  };
}

async function readResponse(call: Promise<Response>): Promise<ApiResponse> {
  const response = await call;
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}
