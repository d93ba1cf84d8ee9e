/**
 * Two API processes behind a client that goes by /readyz, as a load balancer does; each is replaced
 * while orders keep coming.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { environment } from '../../config.ts';
import { SECRETS } from '../../local/stack/addresses.ts';
import { ended, launch, nodeCommand, stop } from '../../local/stack/commands.ts';
import { freePort } from '../../local/stack/ports.ts';
import { createSandbox } from '../../local/sandbox/sandbox.ts';
import { createDatabase, type Database } from '../../prisma/client.ts';
import { seed } from '../../prisma/seed.ts';
import { orderBody } from '../api/shop.ts';
import { cell } from '../faults/cell.ts';
import { createTestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

const SHOPPERS = 4;
const STARTS_WITHIN = { timeoutMs: 90_000, everyMs: 100 };
/** Longer than any client is between asking /readyz and sending its order. */
const STOP_DELAY_MS = 3_000;
const REQUEST_TIMEOUT_MS = 30_000;
const TEST_TIMEOUT_MS = 300_000;

interface Api {
  readonly url: string;
  start(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

const undo: (() => Promise<unknown>)[] = [];
const made: { db?: Database; sandbox?: Awaited<ReturnType<typeof createSandbox>>; apis: Api[] } = {
  apis: [],
};
beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-rolling-'));
  undo.push(() => rm(dir, { recursive: true, force: true }));
  const database = await createTestDatabase();
  undo.push(() => database.drop());
  made.db = createDatabase({ url: database.url, poolSize: 2 });
  const { db } = made;
  undo.push(() => db.$disconnect());
  await seed(db);
  const sandbox = await createSandbox({ warehouseCallbackSecret: SECRETS.warehouseCallback });
  made.sandbox = sandbox;
  undo.push(() => sandbox.close());
  const env = {
    ...environment(),
    ROLE: 'api',
    LOG_LEVEL: 'warn',
    STOP_DELAY_MS: String(STOP_DELAY_MS),
    DATABASE_URL: database.url,
    // Orders are accepted without it: what is replaced here is the API.
    TEMPORAL_ADDRESS: '127.0.0.1:9',
    STRIPE_API_URL: sandbox.url,
    STRIPE_API_KEY: 'sk_test_rolling',
    STRIPE_WEBHOOK_SECRET: SECRETS.paymentsWebhook,
    WAREHOUSE_URL: sandbox.url,
    WAREHOUSE_API_KEY: 'rolling',
    WAREHOUSE_CALLBACK_SECRET: SECRETS.warehouseCallback,
    SMTP_URL: `smtp://127.0.0.1:${sandbox.smtpPort}`,
  };
  for (const name of ['one', 'other']) {
    made.apis.push(createApi(env, { port: await freePort(), logFile: join(dir, `${name}.log`) }));
  }
  await Promise.all(made.apis.map((api) => api.start()));
}, TEST_TIMEOUT_MS);
afterAll(async () => {
  for (const each of undo.toReversed()) await each();
}, TEST_TIMEOUT_MS);

function createApi(
  env: Readonly<Record<string, string | undefined>>,
  { port, logFile }: { readonly port: number; readonly logFile: string },
): Api {
  let child: ChildProcess | null = null;
  const url = `http://127.0.0.1:${port}`;
  undo.push(async () => {
    if (child) await stop(child, { signal: 'SIGKILL', timeoutMs: 10_000 });
  });
  return {
    url,
    async start() {
      child = launch(nodeCommand('main.ts', [], { ...env, PORT: String(port) }), { logFile });
      await eventually(async () => {
        expect(await isReady(url), await readFile(logFile, 'utf8')).toBe(true);
      }, STARTS_WITHIN);
    },
    async stop() {
      if (child === null) throw new Error('it does not run');
      child.kill('SIGTERM');
      await ended(child);
      return child.exitCode;
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const answer = await fetch(`${url}/readyz`, { signal });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    // Nobody listens: it is being replaced.
    return false;
  }
}

/** Goes by /readyz, in turns. Throws when the connection fails: that is what must not happen. */
async function send(turn: number, key: string): Promise<Response> {
  const { apis } = made;
  for (let tried = turn; ; tried += 1) {
    const api = apis[tried % apis.length];
    if (api === undefined || !(await isReady(api.url))) continue;
    return fetch(`${api.url}/v1/orders`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer hf_local_storefront',
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(orderBody()),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  }
}

/**
 * Orders one after the other until told to stop. A busy machine's 503 is tried again, as it asks; a
 * connection that fails is kept in `failed`.
 */
async function shop(until: AbortSignal, failed: unknown[]): Promise<string[]> {
  const ids: string[] = [];
  for (let turn = 0; !until.aborted; turn += 1) {
    const key = crypto.randomUUID();
    const answer = await eventually(
      async () => {
        const given = await send(turn, key).catch((error: unknown) => {
          failed.push(error);
          throw error;
        });
        expect(given.status).not.toBe(503);
        return given;
      },
      { timeoutMs: 60_000, everyMs: 1_000 },
    );
    expect(answer.status, await answer.clone().text()).toBe(201);
    ids.push(answer.headers.get('location')?.split('/').at(-1) ?? '');
    await answer.body?.cancel();
  }
  return ids;
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

cell(
  'infra/rolling-restart',
  'a rolling restart of the API under load fails no request and repeats no effect',
  async (proof) => {
    const { db, sandbox, apis } = made;
    if (!db || !sandbox) throw new Error('opened before the test');
    const closing = new AbortController();
    const failed: unknown[] = [];
    const shoppers = Promise.all(
      Array.from({ length: SHOPPERS }, () => shop(closing.signal, failed)),
    );
    const replaced = (async () => {
      for (const api of apis) {
        expect(await api.stop()).toBe(0);
        proof.fired(1);
        await api.start();
      }
    })().finally(() => closing.abort());
    const [ids] = await Promise.all([shoppers, replaced]);
    expect(failed).toEqual([]);
    const placed = ids.flat();
    expect(placed.length).toBeGreaterThan(SHOPPERS * apis.length);
    expect(new Set(placed).size).toBe(placed.length);
    const orders = await db.order.findMany({ select: { id: true, status: true } });
    expect(new Set(orders.map(({ status }) => status))).toEqual(new Set(['placed']));
    expect(orders.map(({ id }) => id).toSorted(byText)).toEqual(placed.toSorted(byText));
    const effects = sandbox.ledgers.payments.effects();
    const authorized = effects.map((each) => each.order_id ?? '');
    expect(authorized.toSorted(byText)).toEqual(placed.toSorted(byText));
  },
  TEST_TIMEOUT_MS,
);
