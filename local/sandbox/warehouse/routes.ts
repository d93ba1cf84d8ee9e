/** The warehouse's HTTP API, after docs/warehouse-contract.md. */
import { Hono } from 'hono';
import type { z } from 'zod';
import { attempt, parseJson } from '../calls.ts';
import type { Call, ProviderContext, ProviderResponse } from '../calls.ts';
import type { SandboxContext, SandboxEnv } from '../calls.ts';
import { fingerprintOf } from '../idempotency-store.ts';
import type { OrderList } from './list.ts';
import { reserveSchema, shipSchema } from './records.ts';
import type { Reservations, WarehouseStep } from './reservations.ts';
import { problem } from './responses.ts';
import type { Shipments } from './shipments.ts';

export interface WarehouseDeps {
  readonly context: ProviderContext;
  readonly reservations: Reservations;
  readonly shipments: Shipments;
  readonly orderList: OrderList;
}

export function createWarehouseRoutes(deps: WarehouseDeps): Hono<SandboxEnv> {
  const { context, reservations, shipments, orderList } = deps;
  const app = new Hono<SandboxEnv>();
  const unkeyed = (c: SandboxContext, operation: Call['operation'], run: Run): Promise<Response> =>
    attempt(c, context, callWithoutKey(c, operation, run));
  const read = (c: SandboxContext, run: () => ProviderResponse): Promise<Response> =>
    unkeyed(c, 'lookup', (step) => (step.refused ? problem(429, 'rate_limited') : run()));

  app.use(async (c, next) => {
    const token = c.req.header('authorization') ?? '';
    if (!/^Bearer \S+$/.test(token)) return c.json(problem(401, 'unauthorized').body, 401);
    return next();
  });
  app.post('/reservations', (c) =>
    keyed(c, context, {
      operation: 'reserve',
      schema: reserveSchema,
      run: reservations.reserve,
    }),
  );
  app.post('/reservations/:order_id/release', (c) =>
    unkeyed(c, 'release', (step) => reservations.release(c.req.param('order_id'), step)),
  );
  app.post('/shipments', (c) =>
    keyed(c, context, { operation: 'ship', schema: shipSchema, run: shipments.ship }),
  );
  app.post('/shipments/:correlation_id/cancel', (c) =>
    unkeyed(c, 'cancel', (step) => shipments.cancel(c.req.param('correlation_id'), step)),
  );
  app.get('/shipments/:correlation_id', (c) =>
    read(c, () => shipments.find(c.req.param('correlation_id'))),
  );
  app.get('/orders', (c) => read(c, () => orderList.list(c.req.query())));
  app.get('/orders/:order_id', (c) => read(c, () => orderList.find(c.req.param('order_id'))));
  return app;
}

type Run = (step: WarehouseStep) => ProviderResponse;

interface Keyed<T> {
  readonly operation: Call['operation'];
  readonly schema: z.ZodType<T>;
  readonly run: (request: T, step: WarehouseStep) => ProviderResponse;
}

/** A call that creates something: it needs a key, and the same key always gets the same response. */
async function keyed<T>(
  c: SandboxContext,
  context: ProviderContext,
  { operation, schema, run }: Keyed<T>,
): Promise<Response> {
  const key = c.req.header('idempotency-key');
  if (key === undefined || key === '' || key.length > 255) {
    const message = 'Give an Idempotency-Key header of 1 to 255 characters.';
    return c.json(problem(400, 'idempotency_key_missing', message).body, 400);
  }
  const { success, data, error } = schema.safeParse(parseJson(await c.req.text()));
  if (!success) {
    const lines = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return c.json(problem(422, 'invalid_request', lines.join('; ')).body, 422);
  }
  return attempt(c, context, {
    operation,
    key,
    fingerprint: fingerprintOf([c.req.path, JSON.stringify(data)]),
    run: (refused) => run(data, { key, refused }),
  });
}

/** A call that may be repeated without a key; a given one only names it in the ledger. */
function callWithoutKey(c: SandboxContext, operation: Call['operation'], run: Run): Call {
  const ledgerKey = c.req.header('idempotency-key') ?? null;
  return {
    operation,
    key: null,
    fingerprint: '',
    run: (refused) => run({ key: ledgerKey, refused }),
  };
}
