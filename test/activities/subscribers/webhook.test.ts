import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeFailure } from '../../../activities/pump.ts';
import { PartialFailure, type Subscriber } from '../../../activities/subscribers/subscriber.ts';
import { createWebhookSubscriber, webhookBody } from '../../../activities/subscribers/webhook.ts';
import { traceIdOf } from '../../../domain/trace.ts';
import { WEBHOOK_RETRY_DELAYS_MS } from '../../../domain/webhook.ts';
import { createWebhookSender, type WebhookSender } from '../../../gateways/webhook-sender.ts';
import type { LoggedEvent } from '../../../prisma/event-log.ts';
import { KEPT_ATTEMPTS, listAttempts, trimAttempts } from '../../../prisma/webhook-attempts.ts';
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  findEndpoint,
  findSigningEndpoint,
  rotateSecret,
} from '../../../prisma/webhook-endpoints.ts';
import { claimOf } from '../../prisma/shop.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';
import { FATES, NEVER, openHistory, type History } from './history.ts';

/** More than are sent to side by side. */
const ORDERS = 30;
const SIDE_BY_SIDE = 24;
const HOUR_MS = 3_600_000;
const sender = createWebhookSender({ allowLocal: true, deadlineMs: 1_000 });
const stored = () => ({ status: 201, body: '{}' });

let history: History;
let log: readonly LoggedEvent[];
let receiver: WebhookReceiver;
let endpointId: string;

beforeAll(async () => {
  history = await openHistory();
  for (let at = 0; at < ORDERS; at += 1) {
    await history.live({ fate: FATES[at % FATES.length] ?? 'placed' });
  }
  log = await history.log();
});
afterAll(() => history.close());

const OPERATOR = { apiKeyId: 'key_operator', correlationId: 'asked' };

beforeEach(async () => {
  receiver = await startReceiver();
  const wanted = { url: receiver.url, types: [], by: OPERATOR, answer: stored };
  const created = await createEndpoint(history.db, claimOf(), wanted);
  if (created.kind !== 'created') throw new Error(created.kind);
  endpointId = created.endpoint.id;
});
afterEach(async () => {
  await deleteEndpoint(history.db, endpointId, OPERATOR);
  await receiver.close();
});

async function subscriber(by = sender): Promise<Subscriber> {
  const found = await createWebhookSubscriber({ db: history.db, sender: by }, endpointId);
  if (!found) throw new Error('no such endpoint');
  return found;
}

/** How many it sends at once at most: counted here, before any of them is on the network. */
function counted({ send, ...sending }: WebhookSender) {
  let [now, most] = [0, 0];
  return {
    ...sending,
    most: () => most,
    send: async (webhook: Parameters<typeof send>[0]) => {
      now += 1;
      most = Math.max(most, now);
      return send(webhook).finally(() => (now -= 1));
    },
  };
}

async function hand(events: readonly LoggedEvent[]): Promise<void> {
  await (await subscriber()).handle(events, NEVER);
}

/** What the pump learns of each event that was not taken. */
async function failures(events: readonly LoggedEvent[]) {
  try {
    await hand(events);
    return [];
  } catch (error) {
    const failed =
      error instanceof PartialFailure ? error.failed : events.map((event) => ({ event, error }));
    return failed.map(({ event, error: each }) => ({ id: event.id, ...describeFailure(each) }));
  }
}

async function secrets(): Promise<readonly string[]> {
  return (await findSigningEndpoint(history.db, endpointId))?.secrets ?? [];
}

async function attempts() {
  return (await listAttempts(history.db, { endpointId }, { limit: 100 })).attempts;
}

const event = (at = 0): LoggedEvent => {
  const found = log[at];
  if (!found) throw new Error('the log is too short');
  return found;
};

describe('a webhook', () => {
  test('is within the trace of its order, each attempt as a parent of its own', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    for (const _ of [1, 2]) await hand([{ ...event(), traceparent }]);
    await hand([event()]);
    const [first, again, untraced] = receiver.received.map(({ headers }) => headers['traceparent']);
    expect([first, again].map((header) => traceIdOf(header ?? ''))).toEqual(
      Array(2).fill('a'.repeat(32)),
    );
    expect(new Set([traceparent, first, again]).size).toBe(3);
    expect(untraced).toBeUndefined();
  });

  test('has the event id, verifies with the official library, and names nobody', async () => {
    await hand(log);
    const [secret = ''] = await secrets();
    const got = receiver.verified(secret);
    expect(got.map(({ id }) => id).toSorted()).toEqual(log.map(({ id }) => id).toSorted());
    for (const { json, id, body } of got) {
      const source = log.find((each) => each.id === id);
      expect(json).toMatchObject({
        type: source?.type,
        timestamp: source?.time,
        data: {
          event_id: id,
          order_id: source?.orderId,
          seq: source?.seq,
          correlation_id: source?.correlationId,
        },
      });
      expect(body).not.toMatch(/@|Ada|Example Street|pm_card|"note"/);
    }
    expect(got.some(({ json }) => json.data['tracking_number'] === 'TP1')).toBe(true);
  });

  test('comes in order per order, with up to 24 orders side by side', async () => {
    const held: ServerResponse[] = [];
    receiver.answer = (response) => {
      held.push(response);
      if (held.length < SIDE_BY_SIDE) return;
      for (const each of held) each.writeHead(200).end();
      receiver.answer = (later) => later.writeHead(200).end();
    };
    // All have to be there at once before the first is answered, however slow the machine.
    const patient = counted(createWebhookSender({ allowLocal: true, deadlineMs: 30_000 }));
    await (await subscriber(patient)).handle(log, NEVER);
    const bySeq = new Map<string, number[]>();
    for (const { json } of receiver.received) {
      const { order_id: orderId = '', seq = 0 } = json.data;
      bySeq.set(orderId, [...(bySeq.get(orderId) ?? []), seq]);
    }
    expect(bySeq.size).toBe(ORDERS);
    for (const seqs of bySeq.values()) expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(patient.most()).toBe(SIDE_BY_SIDE);
  });

  test('keeps its id on every attempt, and gets a new timestamp and signature', async () => {
    receiver.answer = (response) => response.writeHead(500).end('oops');
    const failed = { error: 'HTTP 500', retryAfterMs: null, final: false, attempted: true };
    for (const _ of ['first', 'second']) {
      expect(await failures([event()])).toEqual([{ id: event().id, ...failed }]);
    }
    receiver.answer = (response) => response.writeHead(200).end();
    await hand([event()]);
    expect(new Set(receiver.received.map(({ id }) => id))).toEqual(new Set([event().id]));
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    const [secret = ''] = await secrets();
    expect(receiver.verified(secret)).toHaveLength(3);
    for (const { headers, atMs } of receiver.received) {
      expect(Math.abs(Number(headers['webhook-timestamp']) - atMs / 1_000)).toBeLessThan(5);
    }
  });

  test('stays below 20 kB: what is too big shrinks to its ids', () => {
    const big = { ...event(), data: { steps: ['x'.repeat(30_000)] } };
    const body = webhookBody(big);
    expect(Buffer.byteLength(body)).toBeLessThan(20_000);
    expect(JSON.parse(body)).toMatchObject({ data: { event_id: big.id, order_id: big.orderId } });
  });

  test('is tried ten times in 75 h 35 min 5 s', async () => {
    const { retryDelaysMs } = await subscriber();
    expect(retryDelaysMs).toBe(WEBHOOK_RETRY_DELAYS_MS);
    expect(retryDelaysMs).toHaveLength(9);
    const sumMs = retryDelaysMs.reduce((sum, each) => sum + each, 0);
    expect(sumMs).toBe(75 * HOUR_MS + 35 * 60_000 + 5_000);
  });
});

describe('an answer', () => {
  test('that cannot be written down: the events failed one by one, and none is sent again at once', async () => {
    await history.db.$executeRaw`ALTER TABLE webhook_attempts RENAME TO away`;
    try {
      await expect(hand(log)).rejects.toBeInstanceOf(PartialFailure);
      expect(receiver.received).toHaveLength(log.length);
    } finally {
      await history.db.$executeRaw`ALTER TABLE away RENAME TO webhook_attempts`;
    }
  });

  test.each([301, 302, 307, 400, 404, 500, 502])(
    '%i is a failure that is tried again',
    async (status) => {
      receiver.answer = (response) =>
        response.writeHead(status, { location: 'http://169.254.169.254/' }).end('no');
      const failed = { error: `HTTP ${status}`, retryAfterMs: null, final: false };
      expect(await failures([event()])).toMatchObject([failed]);
      expect(receiver.received).toHaveLength(1);
    },
  );

  test.each([429, 503])(
    '%i says when to come back, and is left alone until then',
    async (status) => {
      receiver.answer = (response) => response.writeHead(status, { 'retry-after': '120' }).end();
      const failed = await failures(log);
      expect(failed).toHaveLength(log.length);
      for (const { retryAfterMs } of failed) expect(retryAfterMs).toBeGreaterThan(110_000);
      expect(receiver.received.length).toBeLessThan(log.length);
    },
  );

  test('500 has no say in when', async () => {
    receiver.answer = (response) => response.writeHead(500, { 'retry-after': '120' }).end();
    expect(await failures([event()])).toMatchObject([{ retryAfterMs: null }]);
  });

  test('410 disables the endpoint for good: what is retried dies, what is new passes by', async () => {
    receiver.answer = (response) => response.writeHead(410).end();
    expect(await failures([event()])).toMatchObject([
      { error: 'HTTP 410', final: true, attempted: true },
    ]);
    expect(await findEndpoint(history.db, endpointId)).toMatchObject({
      status: 'disabled',
      disabledReason: 'the receiver answered 410 Gone',
    });
    expect(await failures([event()])).toMatchObject([{ final: true, attempted: false }]);
    expect(await failures([event(1), event(2)])).toEqual([]);
    expect(await failures([event(1), event()])).toMatchObject([{ id: event().id, final: true }]);
    expect(receiver.received).toHaveLength(1);
    receiver.answer = (response) => response.writeHead(200).end();
    await changeEndpoint(history.db, endpointId, { status: 'enabled', by: OPERATOR });
    await hand([event()]);
    expect(receiver.received).toHaveLength(2);
  });

  test('a failure of one event holds up no other', async () => {
    const bad = event(3);
    receiver.answer = (response, { id }) => response.writeHead(id === bad.id ? 500 : 200).end();
    expect(await failures(log)).toMatchObject([{ id: bad.id }]);
    expect(receiver.received).toHaveLength(log.length);
  });
});

describe('no answer', () => {
  test('a receiver that hangs or is away, and a URL that leads inside, fail with a reason', async () => {
    receiver.answer = () => undefined;
    expect(await failures([event()])).toMatchObject([{ error: 'no answer: deadline' }]);
    await changeEndpoint(history.db, endpointId, { url: 'http://127.0.0.1:1/', by: OPERATOR });
    const [away] = await failures([event()]);
    expect(away?.error).toBe('no answer: connection_econnrefused');
    await changeEndpoint(history.db, endpointId, { url: 'http://10.0.0.1/', by: OPERATOR });
    const [blocked] = await failures([event()]);
    expect(blocked?.error).toBe('url blocked: address_not_public');
  });

  test('after its deadline nothing more of the batch is sent', async () => {
    const stopped = AbortSignal.abort();
    await expect((await subscriber()).handle(log, stopped)).rejects.toThrow(PartialFailure);
    expect(receiver.received).toEqual([]);
  });
});

describe('rotation', () => {
  test('both secrets sign for a day, then the new one alone', async () => {
    const [old = ''] = await secrets();
    await rotateSecret(history.db, claimOf(), { id: endpointId, by: OPERATOR, answer: stored });
    const [fresh = '', previous] = await secrets();
    expect([previous, fresh === old]).toEqual([old, false]);
    await hand([event()]);
    expect(receiver.verified(old)).toHaveLength(1);
    expect(receiver.verified(fresh)).toHaveLength(1);
    await history.db.webhookEndpoint.update({
      where: { id: endpointId },
      data: { previousSecretExpiresAt: new Date(Date.now() - 1) },
    });
    expect(await secrets()).toEqual([fresh]);
    await hand([event()]);
    expect(() => receiver.verified(old)).toThrow();
    expect(receiver.verified(fresh)).toHaveLength(2);
  });
});

describe('attempts', () => {
  test('every one is kept with status, time taken, and the beginning of the answer', async () => {
    receiver.answer = (response) => response.writeHead(500).end(`${'é'.repeat(2_000)}\0`);
    await failures([event()]);
    receiver.answer = (response) => response.writeHead(204).end();
    await hand([event()]);
    const [second, first] = await attempts();
    expect(first).toMatchObject({
      eventId: event().id,
      eventType: event().type,
      outcome: 'failed',
      status: 500,
      error: 'HTTP 500',
    });
    expect(first?.response).toMatch(/^é{500,1024}/);
    expect(second).toMatchObject({ outcome: 'delivered', status: 204, error: null, response: '' });
  });

  test('old ones go beyond a number per endpoint', async () => {
    await hand(log.slice(0, 5));
    expect(await trimAttempts(history.db, endpointId, KEPT_ATTEMPTS)).toBe(0);
    const [newest, next] = await attempts();
    expect(await trimAttempts(history.db, endpointId, 2)).toBe(3);
    expect(await attempts()).toEqual([newest, next]);
  });

  test('an endpoint that is gone has no subscriber', async () => {
    const handing = await subscriber();
    await deleteEndpoint(history.db, endpointId, OPERATOR);
    await handing.handle(log, NEVER);
    expect(await createWebhookSubscriber({ db: history.db, sender }, endpointId)).toBeNull();
    expect(receiver.received).toEqual([]);
  });
});
