/** Routes of liveness, readiness and metrics. They need no API key. */
import process from 'node:process';
import { timeout, TimeoutStrategy } from 'cockatiel';
import { Hono, type Context } from 'hono';
import type { BreakerView } from '../../gateways/resilience/outcome.ts';
import { pingDatabase } from '../../prisma/client/client.ts';
import type { ApiEnv } from '../middleware/request.ts';
import type { Services } from '../context.ts';

const DATABASE_DEADLINE_MS = 500;
const databaseDeadline = timeout(DATABASE_DEADLINE_MS, TimeoutStrategy.Aggressive);

export function healthRoutes(services: Services) {
  const ready = (c: Context<ApiEnv>) => readiness(c, services);
  return new Hono<ApiEnv>()
    .get('/livez', (c) => c.json({ status: 'alive' }, 200, { 'cache-control': 'no-store' }))
    .get('/readyz', ready)
    .get('/healthz', ready)
    .get('/metrics', async (c) => {
      const { registry } = services.metrics;
      return c.body(await registry.metrics(), 200, { 'content-type': registry.contentType });
    });
}

/** An API needs only the database, because it accepts orders without Temporal. */
async function readiness(c: Context<ApiEnv>, services: Services): Promise<Response> {
  const { db, checkouts, payments, warehouse, mailer, isDraining, needsTemporal } = services;
  const [database, temporal] = await Promise.all([
    databaseDeadline
      .execute(() => pingDatabase(db))
      .then(
        () => true,
        () => false,
      ),
    checkouts.isReachable(),
  ]);
  const providers = {
    payments: provider(payments.breakers()),
    warehouse: provider(warehouse.breakers()),
    mail: provider(mailer.breakers()),
  };
  const degraded = !temporal || Object.values(providers).some(({ status }) => status !== 'up');
  const status = isDraining()
    ? 'draining'
    : !database || (needsTemporal && !temporal)
      ? 'unavailable'
      : degraded
        ? 'degraded'
        : 'ready';
  const dependencies = {
    database: { status: database ? 'up' : 'down' },
    temporal: { status: temporal ? 'up' : 'down' },
    ...providers,
  };
  const isReady = status === 'ready' || status === 'degraded';
  // The pid identifies the process when several stacks run on one machine.
  const body = { status, pid: process.pid, dependencies };
  return c.json(body, isReady ? 200 : 503, { 'cache-control': 'no-store' });
}

function provider(breakers: readonly BreakerView[]) {
  const open = breakers.some(({ state }) => state !== 'closed');
  const states = Object.fromEntries(breakers.map(({ name, state }) => [name, state]));
  return { status: open ? 'degraded' : 'up', breakers: states };
}
