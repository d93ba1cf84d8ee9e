/**
 * What happened before an endpoint was disabled, dropped a type, or was held back is delivered, retried
 * or a dead letter, and the audit says so.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordDeliveriesFailed } from '../../../activities/events/failed-deliveries.ts';
import { pumpOnce, type Batch } from '../../../activities/events/pump.ts';
import { createWebhookSubscriber } from '../../../activities/events/subscribers/webhook.ts';
import type { EventDependencies } from '../../../activities/events/dependencies.ts';
import type { Delivery } from '../../../domain/delivery.ts';
import { EVENT_TYPES, type EventType } from '../../../domain/order.ts';
import { webhookSubscription } from '../../../domain/webhook.ts';
import { listDeadLetters } from '../../../prisma/events/dead-letters.ts';
import { cursorNow } from '../../../prisma/events/event-log.ts';
import { recordAttempts } from '../../../prisma/events/webhook-attempts.ts';
import { advanceCursor, findSubscription } from '../../../prisma/events/subscriptions.ts';
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  disableEndpoint,
  findEndpoint,
} from '../../../prisma/events/webhook-endpoints.ts';
import { purgeWantedTypes } from '../../../prisma/events/webhook-wanted-types.ts';
import { checkInvariants } from '../../../prisma/operations/invariants.ts';
import { claimOf } from '../../prisma/seeded-database.ts';
import { inActivity } from '../../support/in-activity.ts';
import { CIPHER } from '../../support/shop.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';
import { SCENARIOS, useHistory } from './history.ts';
import { OPERATOR, SENDER, STORED } from './use-endpoint.ts';

const history = useHistory();

interface Endpoint {
  readonly id: string;
  readonly subscription: string;
  readonly receiver: WebhookReceiver;
  /** Events that the receiver accepted. */
  readonly accepted: Set<string>;
  readonly deliveries: Delivery[];
  /** One turn of the pump. `killed`: the process died before it moved the cursor. */
  turn(how?: { readonly killed?: boolean }): Promise<Batch['kind']>;
  /** Turns until nothing that was written is left to read. */
  turnToTheEnd(): Promise<void>;
  deadLetters(): Promise<readonly string[]>;
}

async function withEndpoint(
  types: readonly EventType[],
  work: (endpoint: Endpoint) => Promise<void>,
): Promise<void> {
  const receiver = await startReceiver();
  const wanted = { url: receiver.url, types, by: OPERATOR, cipher: CIPHER, response: STORED };
  const created = await createEndpoint(history.db, claimOf(), wanted);
  if (created.kind !== 'created') throw new Error(created.kind);
  const { id } = created.endpoint;
  try {
    await work(openEndpoint(id, receiver));
  } finally {
    await deleteEndpoint(history.db, id, OPERATOR);
    await receiver.close();
  }
}

function openEndpoint(id: string, receiver: WebhookReceiver): Endpoint {
  const { db } = history;
  const subscription = webhookSubscription(id);
  const deliveries: Delivery[] = [];
  const accepted = new Set<string>();
  answering(receiver, accepted, () => 204);
  const deps: EventDependencies = {
    db,
    notifications: { subscribe: () => () => undefined, close: () => Promise.resolve() },
    subscriberOf: () => createWebhookSubscriber({ db, cipher: CIPHER, sender: SENDER }, id),
    startDelivery: (delivery) => Promise.resolve(void deliveries.push(delivery)),
    stopping: new AbortController().signal,
  };
  const turn: Endpoint['turn'] = async ({ killed = false } = {}) => {
    const before = await findSubscription(db, subscription);
    const { kind } = await inActivity(() => pumpOnce(deps, subscription));
    const after = await findSubscription(db, subscription);
    if (killed && before && after) await advanceCursor(db, after, before.cursor);
    return kind;
  };
  return {
    id,
    subscription,
    receiver,
    accepted,
    deliveries,
    turn,
    async turnToTheEnd() {
      await history.log();
      while ((await turn()) !== 'idle');
    },
    async deadLetters() {
      const { deadLetters } = await listDeadLetters(
        db,
        { subject: subscription },
        { limit: 1_000 },
      );
      return deadLetters.map(({ eventId }) => eventId ?? '');
    },
  };
}

/** From here on the receiver answers with this status; what it answers 2xx is accepted. */
function answering(
  receiver: WebhookReceiver,
  accepted: Set<string>,
  status: (sent: number) => number,
): void {
  let sent = 0;
  receiver.answer = (response, { id }) => {
    sent += 1;
    const code = status(sent);
    if (code < 300) accepted.add(id);
    response.writeHead(code, code === 503 ? { 'retry-after': '60' } : {}).end();
  };
}

/** Writes an order, and returns its events of these types. */
async function write(scenario: (typeof SCENARIOS)[number], types: ReadonlySet<string>) {
  const { id } = await history.live({ scenario });
  const events = await history.db.event.findMany({ where: { orderId: id } });
  return events.filter(({ type }) => types.has(type)).map((event) => event.id);
}

async function lostByTheAudit(): Promise<readonly string[]> {
  // A negative grace: as if everything had happened two minutes ago.
  const results = await checkInvariants(history.db, { graceMs: -120_000 });
  const found = results.find(({ name }) => name === 'webhooks_handled');
  expect(found?.unchecked).toBeNull();
  return (found?.examples ?? []).map(({ subject }) => subject);
}

const TYPE_SETS: readonly (readonly EventType[])[] = [
  [],
  ['order.placed', 'order.shipped'],
  ['order.created', 'order.cancelled', 'order.declined'],
];
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ write: fc.constantFrom(...SCENARIOS) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      answer: fc.constantFrom('accepts', 'gone', 'fails', 'busy'),
      /** The answers before it are 2xx. */
      after: fc.nat(6),
      killed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ status: fc.constantFrom('enabled', 'disabled') }) },
  { weight: 2, arbitrary: fc.record({ types: fc.constantFrom(...TYPE_SETS) }) },
);
const STATUS = { accepts: 204, gone: 410, fails: 500, busy: 503 } as const;

describe('an event that an endpoint wanted', () => {
  test('an event written while an endpoint wanted it is accepted, retried or a dead letter, whatever happens to the endpoint', async () => {
    const run = fc.asyncProperty(
      fc.constantFrom(...TYPE_SETS),
      fc.array(step, { minLength: 3, maxLength: 12 }),
      (types, steps) =>
        withEndpoint(types, async (endpoint) => {
          const expected = await live(endpoint, steps);
          answering(endpoint.receiver, endpoint.accepted, () => 204);
          await endpoint.turnToTheEnd();
          const kept = new Set([
            ...endpoint.accepted,
            ...endpoint.deliveries.map(({ eventId }) => eventId),
            ...(await endpoint.deadLetters()),
          ]);
          expect([...expected].filter((id) => !kept.has(id))).toEqual([]);
          expect(await lostByTheAudit()).toEqual([]);
        }),
    );
    await fc.assert(run, { numRuns: 10 });
  });

  test.each([1, 2, 30])(
    'an endpoint that answers 410 to number %i of 30 events has a dead letter for each that it did not accept',
    async (gone) => {
      await withEndpoint(['order.placed'], async (endpoint) => {
        const events: string[] = [];
        for (let at = 0; at < 30; at += 1) {
          events.push(...(await write('placed', new Set(['order.placed']))));
        }
        answering(endpoint.receiver, endpoint.accepted, (sent) => (sent >= gone ? 410 : 204));
        await endpoint.turnToTheEnd();
        const dead = await endpoint.deadLetters();
        expect(endpoint.deliveries).toEqual([]);
        expect([...endpoint.accepted, ...dead].toSorted()).toEqual(events.toSorted());
        expect(endpoint.accepted.size).toBe(gone - 1);
        expect(await lostByTheAudit()).toEqual([]);
      });
    },
  );

  test('the audit names an event that was passed over and one whose delivery is gone', async () => {
    await withEndpoint(['order.placed'], async ({ id, subscription }) => {
      const [lost = ''] = await write('placed', new Set(['order.placed']));
      const read = await findSubscription(history.db, subscription);
      await history.log();
      // As a pump that took "not attempted" for "not wanted".
      if (read) await advanceCursor(history.db, read, await cursorNow(history.db));
      expect(await lostByTheAudit()).toEqual([`${subscription} ${lost}`]);
      const failed = { eventId: lost, eventType: 'order.placed', outcome: 'failed' } as const;
      const attempt = { ...failed, status: 500, latencyMs: 1, error: 'HTTP 500', response: null };
      await recordAttempts(history.db, id, [attempt]);
      expect(await lostByTheAudit()).toEqual([]);
      const attemptedAt = new Date(Date.now() - 30 * 3_600_000);
      await history.db.webhookAttempt.updateMany({
        where: { endpointId: id },
        data: { attemptedAt },
      });
      expect(await lostByTheAudit()).toEqual([`${subscription} ${lost}`]);
    });
  });

  test('an event written while an endpoint was disabled is neither sent nor a dead letter', async () => {
    await withEndpoint([], async (endpoint) => {
      await disableEndpoint(history.db, endpoint.id, 'the receiver responded 410 Gone');
      await write('shipped', new Set());
      await endpoint.turnToTheEnd();
      expect(endpoint.receiver.received).toEqual([]);
      expect(await endpoint.deadLetters()).toEqual([]);
      await changeEndpoint(history.db, endpoint.id, { status: 'enabled', by: OPERATOR });
      const after = await write('placed', new Set(EVENT_TYPES));
      await endpoint.turnToTheEnd();
      expect([...endpoint.accepted].toSorted()).toEqual(after.toSorted());
    });
  });

  test('what an endpoint wanted is remembered as long as there are events of that time', async () => {
    await withEndpoint([], async ({ id }) => {
      await disableEndpoint(history.db, id, 'the receiver responded 410 Gone');
      expect(await purgeWantedTypes(history.db)).toBe(0);
      const ended = await history.db.webhookWantedType.count({ where: { endpointId: id } });
      expect(ended).toBe(EVENT_TYPES.length);
    });
  });
});

describe('a deleted endpoint', () => {
  test('the dead letters of a deleted endpoint are discarded, and none is recorded afterwards', async () => {
    await withEndpoint(['order.placed'], async (endpoint) => {
      const [eventId = ''] = await write('placed', new Set(['order.placed']));
      answering(endpoint.receiver, endpoint.accepted, () => 410);
      await endpoint.turnToTheEnd();
      expect(await endpoint.deadLetters()).toEqual([eventId]);
      await deleteEndpoint(history.db, endpoint.id, OPERATOR);
      const event = (await history.log()).find(({ id }) => id === eventId);
      if (!event) throw new Error('not in the log');
      const { subscription } = endpoint;
      const failed = { subscription, eventId, orderId: event.orderId, attempts: 1 };
      const times = { firstFailedAt: new Date().toISOString(), error: 'HTTP 500' };
      await recordDeliveriesFailed(history.db, [{ ...failed, ...times }]);
      const filter = { subject: subscription };
      const { deadLetters } = await listDeadLetters(history.db, filter, { limit: 10 });
      expect(deadLetters).toMatchObject([
        { status: 'discarded', actor: OPERATOR.apiKeyId, note: 'The endpoint was deleted.' },
      ]);
      const results = await checkInvariants(history.db);
      const names = ['dead_letters_valid', 'decisions_audited'];
      for (const { violations } of results.filter(({ name }) => names.includes(name))) {
        expect(violations).toBe(0);
      }
    });
  });
});

/** Runs the steps, and returns the events that the endpoint wanted when they were written. */
async function live(endpoint: Endpoint, steps: readonly Step[]): Promise<ReadonlySet<string>> {
  const { db } = history;
  const expected = new Set<string>();
  for (const each of steps) {
    if ('write' in each) {
      for (const id of await write(each.write, await wantedTypes(endpoint))) expected.add(id);
    } else if ('answer' in each) {
      const { answer, after, killed } = each;
      answering(endpoint.receiver, endpoint.accepted, (sent) =>
        sent > after ? STATUS[answer] : 204,
      );
      await endpoint.turn({ killed });
    } else {
      await changeEndpoint(db, endpoint.id, { ...each, by: OPERATOR });
    }
  }
  return expected;
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function wantedTypes({ id }: Endpoint): Promise<ReadonlySet<string>> {
  const found = await findEndpoint(history.db, id);
  if (found?.status !== 'enabled') return new Set();
  return new Set(found.types.length === 0 ? EVENT_TYPES : found.types);
}
