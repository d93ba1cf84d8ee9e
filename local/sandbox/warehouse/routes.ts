/** The warehouse's HTTP API, as docs/warehouse-contract.md describes it. */
import { Hono } from 'hono';
import type { z } from 'zod';
import { attempt } from '../calls.ts';
import type { Answer, Call, Counter, SandboxContext, SandboxEnv } from '../calls.ts';
import { fingerprintOf } from '../idempotency-store.ts';
import { problem } from './responses.ts';
import type { OrderList } from './list.ts';
import { reserveSchema, shipSchema } from './records.ts';
import type { Reservations, WarehouseStep } from './reservations.ts';
import type { Shipments } from './shipments.ts';

export interface WarehouseDeps {
  readonly counter: Counter;
  readonly reservations: Reservations;
  readonly shipments: Shipments;
  readonly orderList: OrderList;
}

export function createWarehouseRoutes(deps: WarehouseDeps): Hono<SandboxEnv> {
  const { counter, reservations, shipments, orderList } = deps;
  const app = new Hono<SandboxEnv>();

  app.use(async (c, next) => {
    const token = c.req.header('authorization') ?? '';
    if (!/^Bearer \S+$/.test(token)) return c.json(problem(401, 'unauthorized').body, 401);
    return next();
  });
  app.post('/reservations', (c) =>
    keyed(c, counter, {
      operation: 'reserve',
      schema: reserveSchema,
      run: (request, step) => reservations.reserve(request, step),
    }),
  );
  app.post('/reservations/:order_id/release', (c) =>
    unkeyed(c, counter, {
      operation: 'release',
      run: (step) => reservations.release(c.req.param('order_id'), step),
    }),
  );
  app.post('/shipments', (c) =>
    keyed(c, counter, {
      operation: 'ship',
      schema: shipSchema,
      run: (request, step) => shipments.ship(request, step),
    }),
  );
  app.post('/shipments/:correlation_id/cancel', (c) =>
    unkeyed(c, counter, {
      operation: 'cancel',
      run: (step) => shipments.cancel(c.req.param('correlation_id'), step),
    }),
  );
  app.get('/shipments/:correlation_id', (c) =>
    unkeyed(c, counter, {
      operation: 'lookup',
      run: (step) =>
        step.refused ? problem(429, 'rate_limited') : shipments.look(c.req.param('correlation_id')),
    }),
  );
  const read = (c: SandboxContext, run: () => Answer): Promise<Response> =>
    unkeyed(c, counter, {
      operation: 'lookup',
      run: (step) => (step.refused ? problem(429, 'rate_limited') : run()),
    });
  app.get('/orders', (c) => read(c, () => orderList.list(c.req.query())));
  app.get('/orders/:order_id', (c) => read(c, () => orderList.look(c.req.param('order_id'))));
  return app;
}

interface Keyed<T> {
  readonly operation: Call['operation'];
  readonly schema: z.ZodType<T>;
  readonly run: (request: T, step: WarehouseStep) => Answer;
}

/** A call that makes something: needs a key, and the same key gets the same answer for ever. */
async function keyed<T>(c: SandboxContext, counter: Counter, call: Keyed<T>): Promise<Response> {
  const key = c.req.header('idempotency-key');
  if (key === undefined || key === '' || key.length > 255) {
    const message = 'Give an Idempotency-Key header of 1 to 255 characters.';
    return c.json(problem(400, 'idempotency_key_missing', message).body, 400);
  }
  const text = await c.req.text();
  const parsed = call.schema.safeParse(jsonOf(text));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return c.json(problem(422, 'invalid_request', lines.join('; ')).body, 422);
  }
  const canonical = JSON.stringify(parsed.data);
  return attempt(c, counter, {
    operation: call.operation,
    key,
    fingerprint: fingerprintOf([c.req.path, canonical]),
    run: (refused) => call.run(parsed.data, { key, refused }),
  });
}

/** A call whose repeat is harmless by itself; a key, when given, only names it in the ledger. */
function unkeyed(
  c: SandboxContext,
  counter: Counter,
  call: {
    readonly operation: Call['operation'];
    readonly run: (step: WarehouseStep) => Answer;
  },
): Promise<Response> {
  const key = c.req.header('idempotency-key') ?? null;
  return attempt(c, counter, {
    operation: call.operation,
    key: null,
    fingerprint: '',
    run: (refused) => call.run({ key, refused }),
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No JSON is no object: the schema says what was expected.
    return undefined;
  }
}
