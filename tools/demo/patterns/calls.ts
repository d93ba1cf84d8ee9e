/** Patterns of calls to a provider: saga, timeouts and retries, circuit breaker. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { runScenario } from '../runner.ts';
import { SCENARIOS } from '../scenarios.ts';
import {
  announce,
  arm,
  clearFaults,
  effects,
  follow,
  place,
  placed,
  read,
  SHIPPED_ONCE,
  until,
  type PatternDemo,
  type Placed,
  type Stage,
} from '../stage.ts';

export const saga: PatternDemo = {
  story:
    'Shipping is refused after the capture: each completed step is compensated, the last first.',
  async show(stage) {
    for (const scenario of SCENARIOS.filter(({ name }) => name === 'not shipped')) {
      stage.failures.push(...(await runScenario(stage, scenario)));
    }
  },
};

export const timeoutsAndRetries: PatternDemo = {
  story: 'A provider hangs for the shopper, and another is down for a step: neither is waited for.',
  async show(stage) {
    announce(stage, 'while the shopper waits: a deadline, one look-up, and a definite answer');
    await arm(stage, { 'payments/authorize': { mode: 'hang', times: 1 } });
    const key = `demo-${stage.run}-timeouts`;
    const first = await place(stage, { key });
    stage.check('the answer when the time is up', first.code, 'payment_unavailable');
    announce(stage, 'the shopper tries again, with the same key');
    // The lease of the first attempt may run for another moment.
    const second = await until(
      stage,
      () => place(stage, { key }),
      ({ code }) => code !== 'request_in_flight',
    );
    stage.check('accepted', second.status, 201);
    if (second.id === null) return;
    await follow(stage, second.id, 'shipped');
    stage.check('effects at the providers', await effects(stage, second.id), SHIPPED_ONCE);
    announce(stage, 'behind the answer: a retry budget of days');
    await arm(stage, { 'warehouse/reserve': { mode: 'down', times: 3 } });
    const id = await placed(stage);
    await follow(stage, id, 'shipped');
    stage.check('effects at the providers', await effects(stage, id), SHIPPED_ONCE);
  },
};

const readySchema = z.object({
  dependencies: z.object({
    payments: z.object({
      breakers: z.record(z.string(), z.string()),
      reasons: z.array(z.string()).optional(),
    }),
  }),
});
const BREAKER = 'payments.authorize';
/** The breaker counts calls of a window; half of them have to fail. */
const MOST_ORDERS = 200;
const AT_ONCE_MS = 500;
/** The default probe comes after a minute. */
const PROBED_WITHIN_MS = 90_000;

export const circuitBreaker: PatternDemo = {
  story: 'The payment provider is down: calls to it stop, and one probe finds that it is back.',
  async show(stage) {
    await arm(stage, { 'payments/authorize': { mode: 'down' } });
    announce(stage, 'orders, until the circuit breaker opens');
    let orders = 0;
    while ((await breaker(stage)) === 'closed' && orders < MOST_ORDERS) {
      const { code } = await place(stage);
      orders += 1;
      if (orders === 1) stage.check('the answer', code, 'payment_unavailable');
    }
    stage.check(BREAKER, await breaker(stage), 'open');
    const held = await stage.shop.held('mug-white');
    const refused = await place(stage);
    stage.check('the answer', refused.code, 'payment_unavailable');
    stage.check('answered at once', refused.tookMs < AT_ONCE_MS, true);
    const more = (await stage.shop.held('mug-white')) - held;
    stage.check('units held for it', Math.max(0, more), 0);
    await clearFaults(stage);
    const accepted = await retryUntilAccepted(stage);
    stage.check('accepted', accepted.status, 201);
    stage.check(BREAKER, await breaker(stage), 'closed');
    if (accepted.id === null) return;
    await follow(stage, accepted.id, 'shipped');
    stage.check('effects at the providers', await effects(stage, accepted.id), SHIPPED_ONCE);
  },
};

async function breaker(stage: Stage): Promise<string | undefined> {
  const { dependencies } = await read(stage, '/readyz', readySchema);
  return dependencies.payments.breakers[BREAKER];
}

/** As a client should: no sooner than Retry-After says, which is when the breaker lets a call probe. */
async function retryUntilAccepted(stage: Stage): Promise<Placed> {
  const until = performance.now() + PROBED_WITHIN_MS;
  for (;;) {
    const order = await place(stage);
    if (order.status === 201 || performance.now() > until) return order;
    const seconds = Number(order.result.headers.get('retry-after') ?? 1);
    announce(stage, `Retry-After: ${seconds}`);
    await delay(seconds * 1_000, undefined, { signal: stage.signal });
  }
}
