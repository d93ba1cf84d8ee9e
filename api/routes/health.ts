/** Routes of liveness, readiness and metrics. They need no API key, so api/app.ts hides some. */
import process from 'node:process';
import { timeout, TimeoutStrategy } from 'cockatiel';
import { Hono, type Context } from 'hono';
import type { BreakerView } from '../../gateways/resilience/outcome.ts';
import { pingDatabase } from '../../prisma/client/client.ts';
import { isOfConsole, type ApiEnv } from '../middleware/request.ts';
import type { Services } from '../context.ts';

/** Half of the second that Kubernetes gives a probe by default. */
const DEPENDENCY_DEADLINE_MS = 500;
const deadline = timeout(DEPENDENCY_DEADLINE_MS, TimeoutStrategy.Aggressive);
const NO_RESPONSE = `no response within ${DEPENDENCY_DEADLINE_MS} ms`;

/** Without `details` readiness is only its status, which a load balancer needs; the console has them. */
export function healthRoutes(services: Services, details: boolean) {
  const ready = async (c: Context<ApiEnv>): Promise<Response> => {
    const { status, ...rest } = await readiness(services);
    const isReady = status === 'ready' || status === 'degraded';
    const body = { status, ...((details || isOfConsole(c)) && rest) };
    return c.json(body, isReady ? 200 : 503, { 'cache-control': 'no-store' });
  };
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
async function readiness(services: Services) {
  const { db, checkouts, payments, warehouse, mailer, sms, isDraining, needsTemporal } = services;
  const [database, temporalReason] = await Promise.all([
    deadline
      .execute(() => pingDatabase(db))
      .then(
        () => true,
        () => false,
      ),
    deadline.execute(() => checkouts.unavailableReason()).catch(() => NO_RESPONSE),
  ]);
  const providers = {
    payments: provider(payments.breakers()),
    warehouse: provider(warehouse.breakers()),
    mail: provider(mailer.breakers()),
    ...(sms !== null && { sms: provider(sms.breakers()) }),
  };
  const degraded =
    temporalReason !== null || Object.values(providers).some(({ status }) => status !== 'up');
  const status = isDraining()
    ? 'draining'
    : !database || (needsTemporal && temporalReason !== null)
      ? 'unavailable'
      : degraded
        ? 'degraded'
        : 'ready';
  const dependencies = {
    database: { status: database ? 'up' : 'down' },
    temporal:
      temporalReason === null ? { status: 'up' } : { status: 'down', reason: temporalReason },
    ...providers,
  };
  // The pid identifies the process when several stacks run on one machine.
  return { status, pid: process.pid, dependencies };
}

/** `reasons` are for people: an operator has to mend credentials, a breaker closes by itself. */
function provider(breakers: readonly BreakerView[]) {
  const states = Object.fromEntries(breakers.map(({ name, state }) => [name, state]));
  const reasons = breakers.flatMap(({ name, reason }) =>
    reason === null ? [] : [`${name}: ${reason}`],
  );
  const status = reasons.length > 0 ? 'degraded' : 'up';
  return { status, breakers: states, ...(reasons.length > 0 && { reasons }) };
}
