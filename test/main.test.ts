import { readFile } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import {
  createAppProcess,
  providersEnv,
  type AppProcess,
  type Env,
} from './support/app-process.ts';
import { createTestDatabase } from './support/database.ts';
import { eventually } from './support/eventually.ts';
import { openSilentServer } from './support/silent-server.ts';
import { openNamespace } from './support/temporal.ts';

const NO_TEMPORAL = { TEMPORAL_ADDRESS: '127.0.0.1:9' };

async function startApp(env: Env): Promise<AppProcess> {
  const database = await createTestDatabase();
  const own = { ...providersEnv(null), DATABASE_URL: database.url, LOG_LEVEL: 'info' };
  const app = await createAppProcess({ name: 'main', env: { ...own, ...env } });
  onTestFinished(async () => {
    await app.stop();
    await database.close();
  });
  await app.start();
  return app;
}

/** Of a process that has Temporal. */
async function temporalEnv(): Promise<Env> {
  const { address, namespace, close } = await openNamespace();
  onTestFinished(close);
  return { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
}

test('after SIGTERM /readyz returns 503 and requests are served until the process exits with 0', async () => {
  // Long enough for a busy machine to ask twice.
  const app = await startApp({ ...NO_TEMPORAL, ROLE: 'api', STOP_DELAY_MS: '6000' });
  app.signal('SIGTERM');
  await eventually(async () => {
    const answer = await fetch(`${app.url}/readyz`);
    expect([answer.status, answer.headers.get('connection')]).toEqual([503, 'close']);
  });
  const late = await fetch(`${app.url}/openapi.json`);
  expect([late.status, late.headers.get('connection')]).toEqual([200, 'close']);
  expect(await app.ended()).toBe(0);
});

test('a process stopped right after it became ready exits with 0 and logs no error', async () => {
  const app = await startApp({ ...(await temporalEnv()), STOP_DELAY_MS: '0' });
  app.signal('SIGTERM');
  expect(await app.ended()).toBe(0);
  expect(await readFile(app.logFile, 'utf8')).not.toContain('Error');
});

test('a worker whose Temporal accepts connections and never responds exits with 0 within its limit', async () => {
  const TEMPORAL_ADDRESS = await openSilentServer();
  const app = await startApp({ TEMPORAL_ADDRESS, ROLE: 'all', STOP_DELAY_MS: '0' });
  app.signal('SIGTERM');
  expect(await app.ended()).toBe(0);
  expect(await readFile(app.logFile, 'utf8')).not.toContain('shutdown timed out');
});

test('requests, background work and events have separate connection pools even with three connections', async () => {
  const app = await startApp({ ...(await temporalEnv()), DATABASE_POOL: '3' });
  const text = await (await fetch(`${app.url}/metrics`)).text();
  const pools = text.matchAll(/^holdfast_database_connections_in_use\{pool="(\w+)"\}/gm);
  expect([...pools].map(([, pool]) => pool)).toEqual(['requests', 'background', 'events']);
});
