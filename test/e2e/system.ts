/**
 * Everything an order passes through, each part as it runs in earnest: API and worker as processes
 * of their own, the Temporal dev server, PostgreSQL, and the providers' sandbox over HTTP and SMTP.
 */
import { randomUUID } from 'node:crypto';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { z } from 'zod';
import { environment } from '../../config.ts';
import { SECRETS } from '../../local/stack/addresses.ts';
import { bundleWorkflows } from '../../local/stack/bundle.ts';
import {
  becomesTrue,
  ended,
  hasEnded,
  killGroup,
  launch,
  nodeCommand,
  stop,
} from '../../local/stack/commands.ts';
import { freePort } from '../../local/stack/ports.ts';
import { createSandbox, type Sandbox } from '../../local/sandbox/sandbox.ts';
import { createDatabase, type Database } from '../../prisma/client.ts';
import { seed } from '../../prisma/seed.ts';
import { PERSON } from '../support/bench.ts';
import { createTestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { startDevServer, type DevServer } from '../support/temporal.ts';

export interface System {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly sandbox: Sandbox;
  readonly temporal: DevServer;
  readonly client: Client;
  readonly api: Part;
  readonly worker: Part;
  /**
   * POST /v1/orders as a storefront; two white mugs and a good card unless told. Sent again under its
   * key when the machine was too busy, never when the order could not be taken without Temporal.
   */
  place(order?: {
    readonly sku?: string;
    readonly quantity?: number;
    readonly card?: string;
    readonly headers?: Readonly<Record<string, string>>;
  }): Promise<Answered>;
  /** GET /v1/orders/{id}, answered once the order rests or after `waitSeconds`. */
  read(orderId: string, waitSeconds: number): Promise<Answered>;
  /** Whatever an operator asks. */
  operate(method: string, path: string, body?: object): Promise<Answered>;
  close(): Promise<void>;
}

export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

/** A process of ours. */
export interface Part {
  /** SIGKILL, and gone when this resolves. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** What a client is told to come back for when the machine has too much to do. */
const BUSY = new Set([
  'overloaded',
  'database_unavailable',
  'payment_unavailable',
  'request_in_flight',
]);
const READY_WITHIN_MS = 60_000;
const REQUEST_TIMEOUT_MS = 40_000;
/** Long enough that a signal has to travel, short enough that nobody waits. */
const PARCEL_LEAVES_AFTER_MS = 150;

export async function openSystem(): Promise<System> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of undo.toReversed()) await each();
  };
  try {
    return { ...(await open((each) => undo.push(each))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  onClose: (undo: () => Promise<unknown>) => void,
): Promise<Omit<System, 'close'>> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  onClose(() => rm(dir, { recursive: true, force: true }));
  const database = await createTestDatabase();
  onClose(() => database.drop());
  const db = createDatabase({ url: database.url, poolSize: 4 });
  onClose(() => db.$disconnect());
  await seed(db);
  const sandbox = await createSandbox({
    warehouseCallbackSecret: SECRETS.warehouseCallback,
    callbackDelayMs: PARCEL_LEAVES_AFTER_MS,
  });
  onClose(() => sandbox.close());
  const temporal = await startDevServer();
  onClose(() => temporal.stop());
  const connection = await Connection.connect({ address: temporal.address });
  onClose(() => connection.close());
  const bundle = join(dir, 'workflows.js');
  await bundleWorkflows(bundle);
  const [apiPort, workerPort] = [await freePort(), await freePort()];
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const env = {
    ...environment(),
    LOG_LEVEL: 'warn',
    PUBLIC_URL: apiUrl,
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    WORKFLOW_BUNDLE: bundle,
    STRIPE_API_URL: sandbox.url,
    STRIPE_API_KEY: 'sk_test_e2e',
    STRIPE_WEBHOOK_SECRET: SECRETS.paymentsWebhook,
    WAREHOUSE_URL: sandbox.url,
    WAREHOUSE_API_KEY: 'e2e',
    WAREHOUSE_CALLBACK_SECRET: SECRETS.warehouseCallback,
    SMTP_URL: `smtp://127.0.0.1:${sandbox.smtpPort}`,
  };
  const api = createPart({ env: { ...env, ROLE: 'api' }, port: apiPort, dir });
  const worker = createPart({ env: { ...env, ROLE: 'worker' }, port: workerPort, dir });
  for (const part of [api, worker]) onClose(() => part.stop());
  await Promise.all([api.start(), worker.start()]);
  const client = new Client({ connection });
  return {
    db,
    databaseUrl: database.url,
    sandbox,
    temporal,
    client,
    api,
    worker,
    ...createShopper(apiUrl),
  };
}

interface PartOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly port: number;
  readonly dir: string;
}

/** One process of main.ts. Starting it waits until it says it is ready. */
function createPart({ env, port, dir }: PartOptions): Part & { stop(): Promise<void> } {
  const logFile = join(dir, `${env['ROLE']}.log`);
  let child: ChildProcess | null = null;
  const killIt = (): void => killGroup(child?.pid, 'SIGKILL');
  process.once('exit', killIt);
  return {
    async start() {
      const started = launch(nodeCommand('main.ts', [], { ...env, PORT: String(port) }), {
        logFile,
      });
      child = started;
      const limits = { timeoutMs: READY_WITHIN_MS, everyMs: 100, alive: () => !hasEnded(started) };
      if (await becomesTrue(() => isReady(port), limits)) return;
      throw new Error(`${env['ROLE']} is not ready: ${await readFile(logFile, 'utf8')}`);
    },
    async kill() {
      if (!child) return;
      killGroup(child.pid, 'SIGKILL');
      await ended(child);
    },
    async stop() {
      if (child) await stop(child, { signal: 'SIGTERM', timeoutMs: 25_000 });
      process.off('exit', killIt);
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, {
      signal: AbortSignal.timeout(2_000),
    });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    // Not listening yet.
    return false;
  }
}

function createShopper(api: string): Pick<System, 'place' | 'read' | 'operate'> {
  const call = async (path: string, init: RequestInit): Promise<Answered> => {
    const answer = await fetch(`${api}${path}`, {
      ...init,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  };
  const authorization = 'Bearer hf_local_storefront';
  return {
    place({ sku = 'mug-white', quantity = 2, card = PERSON.paymentMethod, headers = {} } = {}) {
      const init = {
        method: 'POST',
        headers: {
          authorization,
          'content-type': 'application/json',
          'idempotency-key': randomUUID(),
          ...headers,
        },
        body: JSON.stringify({
          customer: { email: PERSON.email, name: PERSON.name, phone: PERSON.phone },
          shipping_address: {
            line1: PERSON.street,
            city: 'Berlin',
            postal_code: '10115',
            country: 'DE',
          },
          lines: [{ sku, quantity }],
          currency: 'EUR',
          payment_method: card,
        }),
      };
      return eventually(
        async () => {
          const answer = await call('/v1/orders', init);
          const { code } = z.looseObject({ code: z.string().optional() }).parse(answer.body);
          if (code !== undefined && BUSY.has(code)) throw new Error(code);
          return answer;
        },
        { timeoutMs: 60_000, everyMs: 500 },
      );
    },
    read: (orderId, waitSeconds) =>
      call(`/v1/orders/${orderId}`, {
        headers: { authorization, prefer: `wait=${waitSeconds}` },
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
