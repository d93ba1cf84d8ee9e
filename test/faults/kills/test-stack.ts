/**
 * Lanes: whole shops side by side, each a process of its own with its own database, namespace,
 * providers and receiver of webhooks, on one Temporal server. A death in one is no business of another.
 */
import { SECRETS } from '../../../local/stack/addresses.ts';
import { createSandbox, type Sandbox } from '../../../local/sandbox/sandbox.ts';
import { createDatabase, type Database } from '../../../prisma/client/client.ts';
import { seed } from '../../../prisma/seed.ts';
import {
  createAppProcess,
  providersEnv,
  type AppProcess,
  type Env,
} from '../../support/app-process.ts';
import { createCleanup, type OnClose } from '../../support/cleanup.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { startDevServer, type DevServer } from '../../support/dev-server.ts';
import { eventually } from '../../support/eventually.ts';
import { choosePort } from '../../support/ports.ts';
import { openNamespace, type Temporal } from '../../support/temporal.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';
import { createClient, type Client } from './client.ts';

export interface TestStack {
  /** What its process is told. */
  readonly env: Env;
  readonly temporal: Temporal;
  readonly db: Database;
  readonly sandbox: Sandbox;
  readonly receiver: WebhookReceiver;
  /** Answers every webhook that it is gone for good. */
  readonly goneReceiver: WebhookReceiver;
  readonly app: AppProcess;
  readonly client: Client;
}

export interface StackPool {
  /** Those that were opened. */
  readonly all: readonly TestStack[];
  /** Runs the work on a lane that nobody else uses meanwhile. */
  use<T>(work: (stack: TestStack) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Long enough that a signal has to travel, short enough that nobody waits. */
const PARCELS_LEAVE_AFTER_MS = 150;
/** A provider that comes again soon, and for longer than a process needs to be replaced. */
const CALLBACK_RETRIES_MS: readonly number[] = Array.from({ length: 60 }, () => 1_000);

/** A dead process's workflow tasks are another's after so long, instead of the usual ten seconds. */
const SOON_GIVEN_UP = [
  '--dynamic-config-value',
  'history.defaultWorkflowTaskTimeout="3s"',
] as const;

/** At most so many lanes; each is opened when it is first needed. */
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
      const stack = await openTestStack({ name: `lane-${opened}`, server, ...more, onClose });
      all.push(stack);
      return stack;
    };
    return { all, use: takeTurns(openNext), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The Temporal server of one or more lanes. */
export async function openServer(onClose: OnClose): Promise<DevServer> {
  const server = await startDevServer(SOON_GIVEN_UP);
  onClose(() => server.stop());
  return server;
}

export interface TestStackOptions {
  readonly name: string;
  readonly server: DevServer;
  readonly onClose: OnClose;
  readonly parcelsLeaveAfterMs?: number | undefined;
  /** Instead of one on the PostgreSQL of the tests. */
  readonly database?: TestDatabase;
  /** Changes what the process is told, e.g. where its database is. */
  readonly adapt?: (env: Env) => Promise<Env>;
}

/** One lane, its process ready. */
export async function openTestStack(options: TestStackOptions): Promise<TestStack> {
  const { name, onClose } = options;
  const database = options.database ?? (await createTestDatabase());
  onClose(() => database.drop());
  const db = createDatabase({ url: database.url, poolSize: 4 });
  onClose(() => db.$disconnect());
  await eventually(() => seed(db), { timeoutMs: 60_000 });
  const temporal = await openNamespace(options.server.address);
  onClose(() => temporal.close());
  const sandbox = await createSandbox({
    warehouseCallbackSecret: SECRETS.warehouseCallback,
    callbackDelayMs: options.parcelsLeaveAfterMs ?? PARCELS_LEAVE_AFTER_MS,
    retryDelaysMs: CALLBACK_RETRIES_MS,
  });
  onClose(() => sandbox.close());
  const [receiver, goneReceiver] = [await startReceiver(), await startReceiver()];
  goneReceiver.answer = (response) => response.writeHead(410).end();
  for (const each of [receiver, goneReceiver]) onClose(() => each.close());
  const port = await choosePort();
  const told: Env = {
    ...providersEnv(sandbox),
    ROLE: 'all',
    DATABASE_URL: database.url,
    DATABASE_POOL: '10',
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    // A provider that is back is asked again soon.
    BREAKER_PROBE_AFTER_MS: '500',
  };
  const env = options.adapt ? await options.adapt(told) : told;
  const app = await createAppProcess({ name, port, env });
  onClose(() => app.kill());
  await app.start();
  const client = createClient(app.url);
  await client.operate('/v1/webhook-endpoints', { url: receiver.url });
  return { env, temporal, db, sandbox, receiver, goneReceiver, app, client };
}

/** Each lane's users wait for the one before. */
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
