/**
 * Test stacks: whole shops side by side, each a process with its own database, namespace, providers
 * and webhook receiver, on one Temporal server. Killing one does not affect another.
 */
import { LOCAL_SECRETS } from '../../../config/production.ts';
import { createSandbox, type Sandbox } from '../../../local/sandbox/sandbox.ts';
import { closeDatabase, createDatabase, type Database } from '../../../prisma/client/client.ts';
import { newId } from '../../../prisma/client/ids.ts';
import { grantCredit } from '../../../prisma/credit/grant.ts';
import { seed } from '../../../prisma/seed.ts';
import {
  createAppProcess,
  providersEnv,
  type AppProcess,
  type Env,
} from '../../support/app-process.ts';
import { PERSON } from '../../support/client.ts';
import { createCleanup, type OnClose } from '../../support/cleanup.ts';
import { createTestDatabase } from '../../support/database.ts';
import { startDevServer, type DevServer } from '../../support/dev-server.ts';
import { eventually } from '../../support/eventually.ts';
import { choosePort } from '../../support/ports.ts';
import { openNamespace, type Temporal } from '../../support/temporal.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';
import { createClient, type Client } from './client.ts';
import { times } from '../../support/times.ts';

export interface TestStack {
  /** The environment of its process. */
  readonly env: Env;
  readonly temporal: Temporal;
  readonly db: Database;
  readonly sandbox: Sandbox;
  readonly receiver: WebhookReceiver;
  /** Responds to every webhook with 410 Gone. */
  readonly goneReceiver: WebhookReceiver;
  readonly app: AppProcess;
  readonly client: Client;
}

export interface StackPool {
  /** The stacks that were opened. */
  readonly all: readonly TestStack[];
  /** Runs the work on a stack that no other work uses meanwhile. */
  use<T>(work: (stack: TestStack) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Long enough that a signal has to travel, short enough not to slow a test down. */
const PARCELS_LEAVE_AFTER_MS = 150;
/** Retried soon, and for longer than a process takes to be replaced. */
const CALLBACK_RETRIES_MS: readonly number[] = times(60, () => 1_000);

/** A dead process's workflow tasks time out after three seconds instead of ten. */
const SHORT_TASK_TIMEOUT = [
  '--dynamic-config-value',
  'history.defaultWorkflowTaskTimeout="3s"',
] as const;

/** A pool of at most `most` stacks; each is opened when it is first needed. */
export async function openStackPool(
  most: number,
  more: Pick<TestStackOptions, 'parcelsLeaveAfterMs'>,
): Promise<StackPool> {
  const { onClose, close } = createCleanup();
  try {
    const server = await openServer(onClose);
    const all: TestStack[] = [];
    let opened = 0;
    const openNext = async (): Promise<TestStack | null> => {
      if (opened === most) return null;
      opened += 1;
      const stack = await openTestStack({ name: `stack-${opened}`, server, ...more, onClose });
      all.push(stack);
      return stack;
    };
    return { all, use: takeTurns(openNext), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The Temporal server of one or more stacks. */
async function openServer(onClose: OnClose): Promise<DevServer> {
  const server = await startDevServer(SHORT_TASK_TIMEOUT);
  onClose(() => server.close());
  return server;
}

export interface TestStackOptions {
  readonly onClose: OnClose;
  readonly name?: string;
  /** Instead of a Temporal server of its own. */
  readonly server?: DevServer;
  readonly parcelsLeaveAfterMs?: number | undefined;
  /** Instead of a database on the PostgreSQL of the tests. */
  readonly databaseUrl?: string;
  /** Changes the environment of the process, e.g. the address of its database. */
  readonly adapt?: (env: Env) => Promise<Env>;
}

/** One stack, its process ready. */
export async function openTestStack(options: TestStackOptions): Promise<TestStack> {
  const { name = 'shop', onClose } = options;
  const databaseUrl = options.databaseUrl ?? (await openTestDatabase(onClose));
  const db = createDatabase({ url: databaseUrl, poolSize: 4 });
  onClose(() => closeDatabase(db));
  await eventually(() => seed(db), { timeoutMs: 60_000 });
  await grantPersonCredit(db);
  const server = options.server ?? (await openServer(onClose));
  const temporal = await openNamespace(server.address);
  onClose(() => temporal.close());
  const sandbox = await createSandbox({
    warehouseCallbackSecret: LOCAL_SECRETS.warehouseCallback,
    callbackDelayMs: options.parcelsLeaveAfterMs ?? PARCELS_LEAVE_AFTER_MS,
    retryDelaysMs: CALLBACK_RETRIES_MS,
  });
  onClose(() => sandbox.close());
  const [receiver, goneReceiver] = [await startReceiver(), await startReceiver()];
  goneReceiver.answer = (response) => response.writeHead(410).end();
  for (const each of [receiver, goneReceiver]) onClose(() => each.close());
  const port = await choosePort();
  const defaults: Env = {
    ...providersEnv(sandbox),
    ROLE: 'all',
    DATABASE_URL: databaseUrl,
    DATABASE_POOL: '10',
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    // A provider that has recovered is called again soon.
    BREAKER_PROBE_AFTER_MS: '500',
  };
  const env = options.adapt ? await options.adapt(defaults) : defaults;
  const app = await createAppProcess({ name, port, env });
  onClose(() => app.kill());
  await app.start();
  const client = createClient(app.url);
  await client.operate('/v1/webhook-endpoints', { url: receiver.url });
  return { env, temporal, db, sandbox, receiver, goneReceiver, app, client };
}

/** Enough store credit for every scenario. */
export async function grantPersonCredit(db: Database): Promise<void> {
  const { email, name, phone } = PERSON;
  const id = newId('customer');
  await db.customer.create({ data: { id, email, name, phone } });
  const grant = { customerId: id, amountMinor: 1_000_000, currency: 'EUR', reason: 'test' };
  await db.$transaction((tx) => grantCredit(tx, { ...grant, expiresAt: null, actor: 'test' }));
}

async function openTestDatabase(onClose: OnClose): Promise<string> {
  const database = await createTestDatabase();
  onClose(() => database.close());
  return database.url;
}

/** Work waits for a free stack in the order it came. */
function takeTurns(openNext: () => Promise<TestStack | null>): StackPool['use'] {
  const free: TestStack[] = [];
  const waiting: ((stack: TestStack) => void)[] = [];
  const take = async (): Promise<TestStack> => {
    const stack = free.shift() ?? (await openNext()) ?? free.shift();
    return stack ?? new Promise((resolve) => waiting.push(resolve));
  };
  return async (work) => {
    const stack = await take();
    try {
      return await work(stack);
    } finally {
      const next = waiting.shift();
      if (next) next(stack);
      else free.push(stack);
    }
  };
}
