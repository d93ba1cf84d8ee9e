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
import { createTestDatabase } from '../../support/database.ts';
import { startDevServer } from '../../support/temporal.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';
import { createAppProcess, type AppProcess } from './app.ts';
import { createClient, type Client } from './client.ts';

export interface Lane {
  readonly name: string;
  readonly db: Database;
  readonly sandbox: Sandbox;
  readonly receiver: WebhookReceiver;
  /** Answers every webhook that it is gone for good. */
  readonly goneReceiver: WebhookReceiver;
  readonly app: AppProcess;
  readonly client: Client;
}

export interface Lanes {
  readonly all: readonly Lane[];
  /** Runs the work on a lane that nobody else uses meanwhile. */
  use<T>(work: (lane: Lane) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Long enough that a signal has to travel, short enough that nobody waits. */
const PARCEL_LEAVES_AFTER_MS = 150;
/** A provider that comes again soon, and for longer than a process needs to be replaced. */
const CALLBACK_RETRIES_MS: readonly number[] = Array.from({ length: 60 }, () => 1_000);

type OnClose = (undo: () => Promise<unknown>) => void;

export async function openLanes(count: number): Promise<Lanes> {
  const undo: (() => Promise<unknown>)[] = [];
  const onClose: OnClose = (each) => undo.push(each);
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const each of undo.toReversed()) await each().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const all = await open(count, onClose);
    return { all, use: turnsOn(all), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(count: number, onClose: OnClose): Promise<readonly Lane[]> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-kills-'));
  onClose(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }));
  const names = Array.from({ length: count }, (_, at) => `lane-${at + 1}`);
  const bundle = join(dir, 'workflows.js');
  const [temporal] = await Promise.all([
    startDevServer({ namespaces: names }),
    bundleWorkflows(bundle),
  ]);
  onClose(() => temporal.stop());
  const env = { ...environment(), WORKFLOW_BUNDLE: bundle, TEMPORAL_ADDRESS: temporal.address };
  const opened = await Promise.allSettled(
    names.map((name) => openLane({ name, dir, env, onClose })),
  );
  return opened.map((lane) => {
    if (lane.status === 'rejected') throw lane.reason;
    return lane.value;
  });
}

async function openLane(options: {
  readonly name: string;
  readonly dir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onClose: OnClose;
}): Promise<Lane> {
  const { name, dir, onClose } = options;
  const database = await createTestDatabase();
  onClose(() => database.drop());
  const db = createDatabase({ url: database.url, poolSize: 4 });
  onClose(() => db.$disconnect());
  await seed(db);
  const sandbox = await createSandbox({
    warehouseCallbackSecret: SECRETS.warehouseCallback,
    callbackDelayMs: PARCEL_LEAVES_AFTER_MS,
    retryDelaysMs: CALLBACK_RETRIES_MS,
  });
  onClose(() => sandbox.close());
  const [receiver, goneReceiver] = [await startReceiver(), await startReceiver()];
  goneReceiver.answer = (response) => response.writeHead(410).end();
  for (const each of [receiver, goneReceiver]) onClose(() => each.close());
  const port = await freePort();
  const providers = providersEnv(sandbox);
  const app = createAppProcess({
    name,
    dir,
    port,
    env: {
      ...options.env,
      ...providers,
      ROLE: 'all',
      LOG_LEVEL: 'warn',
      DATABASE_URL: database.url,
      DATABASE_POOL: '10',
      TEMPORAL_NAMESPACE: name,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
    },
  });
  onClose(() => app.end());
  await app.start();
  const client = createClient(app.url);
  await client.operate('/v1/webhook-endpoints', { url: receiver.url });
  return { name, db, sandbox, receiver, goneReceiver, app, client };
}

/** Where a process finds the stand-ins of its providers, and how they know each other. */
export function providersEnv(sandbox: Sandbox): Readonly<Record<string, string>> {
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
function turnsOn(lanes: readonly Lane[]): Lanes['use'] {
  const free = [...lanes];
  const waiting: ((lane: Lane) => void)[] = [];
  const take = (): Promise<Lane> => {
    const lane = free.shift();
    return lane ? Promise.resolve(lane) : new Promise((resolve) => waiting.push(resolve));
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
