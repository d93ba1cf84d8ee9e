import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { environment } from '../config.ts';
import { SECRETS } from '../local/stack/addresses.ts';
import { bundleWorkflows } from '../local/stack/bundle.ts';
import { ended, hasEnded, launch, nodeCommand, stop } from '../local/stack/commands.ts';
import { freePort } from '../local/stack/ports.ts';
import { createTestDatabase } from './support/database.ts';
import { eventually } from './support/eventually.ts';
import { startDevServer, type DevServer } from './support/temporal.ts';

const WARN = 40;
const NOBODY = 'http://127.0.0.1:9';
/** One worker each: checkouts, events. */
const TASK_QUEUES = 2;
const TEST_TIMEOUT_MS = 240_000;
const STARTS_WITHIN = { timeoutMs: 90_000, everyMs: 100 };

const bundleDir = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
const bundle = join(bundleDir, 'workflows.js');
beforeAll(() => bundleWorkflows(bundle));
afterAll(() => rmSync(bundleDir, { recursive: true, force: true }));

interface App {
  readonly url: string;
  readonly child: ChildProcess;
  log(): Promise<string>;
}

async function startApp(env: Readonly<Record<string, string>>): Promise<App> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-main-'));
  const logFile = join(dir, 'app.log');
  const database = await createTestDatabase();
  const port = await freePort();
  const command = nodeCommand('main.ts', [], {
    ...environment(),
    PORT: String(port),
    DATABASE_URL: database.url,
    STRIPE_API_URL: NOBODY,
    STRIPE_API_KEY: 'sk_test_main',
    STRIPE_WEBHOOK_SECRET: SECRETS.paymentsWebhook,
    WAREHOUSE_URL: NOBODY,
    WAREHOUSE_API_KEY: 'main',
    WAREHOUSE_CALLBACK_SECRET: SECRETS.warehouseCallback,
    SMTP_URL: 'smtp://127.0.0.1:9',
    WORKFLOW_BUNDLE: bundle,
    ...env,
  });
  const child = launch(command, { logFile });
  onTestFinished(async () => {
    await stop(child, { signal: 'SIGTERM', timeoutMs: 25_000 });
    await database.drop();
    await rm(dir, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  }, STARTS_WITHIN);
  return { url, child, log: () => readFile(logFile, 'utf8') };
}

async function openTemporal(): Promise<DevServer> {
  const server = await startDevServer();
  onTestFinished(() => server.stop());
  return server;
}

test(
  'after SIGTERM /readyz returns 503 and requests are served until the process exits with 0',
  async () => {
    const app = await startApp({
      ROLE: 'api',
      TEMPORAL_ADDRESS: '127.0.0.1:9',
      // Long enough for a busy machine to ask twice.
      STOP_DELAY_MS: '10000',
    });
    app.child.kill('SIGTERM');
    await eventually(async () => {
      const answer = await fetch(`${app.url}/readyz`);
      expect([answer.status, answer.headers.get('connection')]).toEqual([503, 'close']);
    });
    const late = await fetch(`${app.url}/openapi.json`);
    expect([late.status, late.headers.get('connection')]).toEqual([200, 'close']);
    await ended(app.child);
    expect(app.child.exitCode).toBe(0);
  },
  TEST_TIMEOUT_MS,
);

test(
  'a process stopped right after it became ready exits with 0 and logs no error',
  async () => {
    const { address } = await openTemporal();
    const app = await startApp({ TEMPORAL_ADDRESS: address, STOP_DELAY_MS: '0' });
    app.child.kill('SIGTERM');
    await ended(app.child);
    expect([app.child.exitCode, await app.log()]).toEqual([
      0,
      expect.not.stringContaining('Error'),
    ]);
  },
  TEST_TIMEOUT_MS,
);

test(
  'requests, background work and events have separate connection pools even with three connections',
  async () => {
    const { address } = await openTemporal();
    const app = await startApp({ TEMPORAL_ADDRESS: address, DATABASE_POOL: '3' });
    const text = await (await fetch(`${app.url}/metrics`)).text();
    const pools = text.matchAll(/^holdfast_database_connections_in_use\{pool="(\w+)"\}/gm);
    expect([...pools].map(([, pool]) => pool)).toEqual(['requests', 'background', 'events']);
  },
  TEST_TIMEOUT_MS,
);

test(
  'an outage of Temporal is logged once as a warning and its end once, all in JSON',
  async () => {
    const temporal = await openTemporal();
    const app = await startApp({ TEMPORAL_ADDRESS: temporal.address });
    const said = async (text: string) =>
      (await linesOf(app)).filter(({ msg }) => msg.includes(text));
    const running = async () => (await linesOf(app)).filter(({ state }) => state === 'RUNNING');
    await eventually(async () => expect(await running()).toHaveLength(TASK_QUEUES), STARTS_WITHIN);
    await temporal.halt();
    const patience = { timeoutMs: 30_000, everyMs: 200 };
    await eventually(async () => expect(await said('cannot be reached')).toHaveLength(1), patience);
    await temporal.resume();
    await eventually(async () => expect(await said('Temporal is back')).toHaveLength(1), patience);
    const warnings = (await linesOf(app)).filter(({ level }) => level >= WARN);
    // A request is a warning when the machine was too busy to answer /readyz at first.
    expect(warnings.map(({ msg }) => msg).filter((msg) => msg !== 'request')).toEqual([
      'Temporal cannot be reached; orders are accepted without it',
    ]);
    expect(hasEnded(app.child)).toBe(false);
  },
  TEST_TIMEOUT_MS,
);

interface Line {
  readonly level: number;
  readonly msg: string;
  /** Of a worker. */
  readonly state?: string;
}

/** Throws on a line that is not JSON. */
async function linesOf(app: App): Promise<Line[]> {
  const lines = (await app.log()).trimEnd().split('\n');
  return lines.map((line): Line => JSON.parse(line));
}
