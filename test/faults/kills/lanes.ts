/**
 * Lanes: whole shops side by side, each a process of its own with its own database, namespace,
 * providers and receiver of webhooks, on one Temporal server. A death in one is no business of another.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment } from '../../../config.ts';
import { SECRETS } from '../../../local/stack/addresses.ts';
import { bundleWorkflows } from '../../../local/stack/bundle.ts';
import { freePort } from '../../../local/stack/ports.ts';
import { createSandbox, type Sandbox } from '../../../local/sandbox/sandbox.ts';
import { createDatabase, type Database } from '../../../prisma/client.ts';
import { seed } from '../../../prisma/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { startDevServer, type DevServer } from '../../support/temporal.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';
import { createAppProcess, type AppProcess } from './app.ts';
import { createClient, type Client } from './client.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface Lane {
  readonly name: string;
  /** What its process is told. */
  readonly env: Env;
  readonly db: Database;
  readonly sandbox: Sandbox;
  readonly receiver: WebhookReceiver;
  /** Answers every webhook that it is gone for good. */
  readonly goneReceiver: WebhookReceiver;
  readonly app: AppProcess;
  readonly client: Client;
}

export interface Lanes {
  /** Those that were opened. */
  readonly all: readonly Lane[];
  /** Runs the work on a lane that nobody else uses meanwhile. */
  use<T>(work: (lane: Lane) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Long enough that a signal has to travel, short enough that nobody waits. */
const PARCELS_LEAVE_AFTER_MS = 150;
/** A provider that comes again soon, and for longer than a process needs to be replaced. */
const CALLBACK_RETRIES_MS: readonly number[] = Array.from({ length: 60 }, () => 1_000);

export type OnClose = (undo: () => Promise<unknown>) => void;

/** Undoes what was opened, the last first, whatever one of them throws. */
export function closing(): { readonly onClose: OnClose; readonly close: () => Promise<void> } {
  const undo: (() => Promise<unknown>)[] = [];
  return {
    onClose: (each) => void undo.push(each),
    async close() {
      const failures: unknown[] = [];
      for (const each of undo.splice(0).toReversed()) {
        await each().catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** At most so many lanes; each is opened when it is first needed. */
export async function openLanes(
  most: number,
  more: Pick<LaneOptions, 'parcelsLeaveAfterMs'>,
): Promise<Lanes> {
  const { onClose, close } = closing();
  try {
    const names = Array.from({ length: most }, (_, at) => `lane-${at + 1}`);
    const ground = await openGround(names, onClose);
    const all: Lane[] = [];
    const openNext = async (): Promise<Lane | null> => {
      const name = names.shift();
      if (name === undefined) return null;
      const lane = await openLane({ name, ...ground, ...more, onClose });
      all.push(lane);
      return lane;
    };
    return { all, use: turnsOn(openNext), close };
  } catch (error) {
    await close();
    throw error;
  }
}

export interface Ground {
  readonly dir: string;
  readonly env: Env;
  readonly temporal: DevServer;
}

/** What lanes share: a Temporal server and the compiled workflows. */
export async function openGround(namespaces: readonly string[], onClose: OnClose): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-kills-'));
  onClose(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }));
  const bundle = join(dir, 'workflows.js');
  const temporal = await startDevServer({ namespaces });
  onClose(() => temporal.stop());
  await bundleWorkflows(bundle);
  const env = { ...environment(), WORKFLOW_BUNDLE: bundle, TEMPORAL_ADDRESS: temporal.address };
  return { dir, env, temporal };
}

export interface LaneOptions extends Ground {
  /** Also the namespace. */
  readonly name: string;
  readonly onClose: OnClose;
  readonly parcelsLeaveAfterMs?: number | undefined;
  /** Instead of one on the PostgreSQL of the tests. */
  readonly database?: TestDatabase;
  /** Changes what the process is told, e.g. where its database is. */
  readonly adapt?: (env: Env) => Promise<Env>;
}

/** One lane, its process ready. */
export async function openLane(options: LaneOptions): Promise<Lane> {
  const { name, dir, onClose } = options;
  const database = options.database ?? (await createTestDatabase());
  onClose(() => database.drop());
  const db = createDatabase({ url: database.url, poolSize: 4 });
  onClose(() => db.$disconnect());
  await eventually(() => seed(db), { timeoutMs: 60_000 });
  const sandbox = await createSandbox({
    warehouseCallbackSecret: SECRETS.warehouseCallback,
    callbackDelayMs: options.parcelsLeaveAfterMs ?? PARCELS_LEAVE_AFTER_MS,
    retryDelaysMs: CALLBACK_RETRIES_MS,
  });
  onClose(() => sandbox.close());
  const [receiver, goneReceiver] = [await startReceiver(), await startReceiver()];
  goneReceiver.answer = (response) => response.writeHead(410).end();
  for (const each of [receiver, goneReceiver]) onClose(() => each.close());
  const port = await freePort();
  const told: Env = {
    ...options.env,
    ...providersEnv(sandbox),
    ROLE: 'all',
    LOG_LEVEL: 'warn',
    DATABASE_URL: database.url,
    DATABASE_POOL: '10',
    TEMPORAL_NAMESPACE: name,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
  };
  const env = options.adapt ? await options.adapt(told) : told;
  const app = createAppProcess({ name, dir, port, env });
  onClose(() => app.end());
  await app.start();
  const client = createClient(app.url);
  await client.operate('/v1/webhook-endpoints', { url: receiver.url });
  return { name, env, db, sandbox, receiver, goneReceiver, app, client };
}

/** Where a process finds the stand-ins of its providers, and how they know each other. */
function providersEnv(sandbox: Sandbox): Env {
  return {
    STRIPE_API_URL: sandbox.url,
    STRIPE_API_KEY: 'sk_test_kills',
    STRIPE_WEBHOOK_SECRET: SECRETS.paymentsWebhook,
    WAREHOUSE_URL: sandbox.url,
    WAREHOUSE_API_KEY: 'kills',
    WAREHOUSE_CALLBACK_SECRET: SECRETS.warehouseCallback,
    SMTP_URL: `smtp://127.0.0.1:${sandbox.smtpPort}`,
  };
}

/** Each lane's users wait for the one before. */
function turnsOn(openNext: () => Promise<Lane | null>): Lanes['use'] {
  const free: Lane[] = [];
  const waiting: ((lane: Lane) => void)[] = [];
  const take = async (): Promise<Lane> => {
    const lane = free.shift() ?? (await openNext()) ?? free.shift();
    return lane ?? new Promise((resolve) => waiting.push(resolve));
  };
  return async (work) => {
    const lane = await take();
    try {
      return await work(lane);
    } finally {
      const next = waiting.shift();
      if (next) next(lane);
      else free.push(lane);
    }
  };
}
