import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import {
  createWebhookSubscriber,
  webhookBody,
} from '../../../activities/events/subscribers/webhook.ts';
import { traceIdOf } from '../../../telemetry/traceparent.ts';
import { WEBHOOK_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import type { WebhookSender } from '../../../gateways/webhooks/sender.ts';
import { KEPT_ATTEMPTS, trimAttempts } from '../../../prisma/events/webhook-attempts.ts';
import { createSecretCipher } from '../../../prisma/client/secret-cipher.ts';
import { deleteEndpoint } from '../../../prisma/events/webhook-endpoints.ts';
import { reencryptSecrets } from '../../../prisma/events/webhook-secrets.ts';
import { bytesOf } from '../../support/app-config.ts';
import { CIPHER } from '../../support/shop.ts';
import { OPERATOR, ORDERS, SENDER, useEndpoint } from './use-endpoint.ts';
import { NEVER } from './history.ts';

const SIDE_BY_SIDE = 24;
const HOUR_MS = 3_600_000;
const endpoint = useEndpoint();

describe('a webhook', () => {
  test('a webhook carries the trace of its order with a new parent id per attempt', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    for (const _ of [1, 2]) await endpoint.hand([{ ...endpoint.event(), traceparent }]);
    await endpoint.hand([endpoint.event()]);
    const { received } = endpoint.receiver;
    const [first, again, untraced] = received.map(({ headers }) => headers['traceparent']);
    expect([first, again].map((header) => traceIdOf(header ?? ''))).toEqual(
      Array(2).fill('a'.repeat(32)),
    );
    expect(new Set([traceparent, first, again]).size).toBe(3);
    expect(untraced).toBeUndefined();
  });

  test('a webhook has the event id, verifies with the official library and holds no personal data', async () => {
    await endpoint.hand(endpoint.log);
    const [secret = ''] = await endpoint.secrets();
    const got = endpoint.receiver.verified(secret);
    expect(got.map(({ id }) => id).toSorted()).toEqual(endpoint.log.map(({ id }) => id).toSorted());
    for (const { json, id, body } of got) {
      const source = endpoint.log.find((each) => each.id === id);
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

  test('webhooks arrive in sequence per order while at most 24 orders are sent concurrently', async () => {
    const held: ServerResponse[] = [];
    endpoint.receiver.answer = (response) => {
      held.push(response);
      if (held.length < SIDE_BY_SIDE) return;
      for (const each of held) each.writeHead(200).end();
      endpoint.receiver.answer = (later) => later.writeHead(200).end();
    };
    const sender = counted(SENDER);
    await endpoint.hand(endpoint.log, sender);
    const bySeq = new Map<string, number[]>();
    for (const { json } of endpoint.receiver.received) {
      const { order_id: orderId = '', seq = 0 } = json.data;
      bySeq.set(orderId, [...(bySeq.get(orderId) ?? []), seq]);
    }
    expect(bySeq.size).toBe(ORDERS);
    for (const seqs of bySeq.values()) expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(sender.most()).toBe(SIDE_BY_SIDE);
  });

  test('a webhook keeps its id and body on every attempt, with a valid signature and timestamp', async () => {
    endpoint.receiver.answer = (response) => response.writeHead(500).end('oops');
    const failed = { error: 'HTTP 500', retryAfterMs: null, final: false, attempted: true };
    for (const _ of ['first', 'second']) {
      expect(await endpoint.failures([endpoint.event()])).toEqual([
        { id: endpoint.event().id, ...failed },
      ]);
    }
    endpoint.receiver.answer = (response) => response.writeHead(200).end();
    await endpoint.hand([endpoint.event()]);
    expect(new Set(endpoint.receiver.received.map(({ id }) => id))).toEqual(
      new Set([endpoint.event().id]),
    );
    expect(new Set(endpoint.receiver.received.map(({ body }) => body)).size).toBe(1);
    const [secret = ''] = await endpoint.secrets();
    expect(endpoint.receiver.verified(secret)).toHaveLength(3);
    for (const { headers, atMs } of endpoint.receiver.received) {
      expect(Math.abs(Number(headers['webhook-timestamp']) - atMs / 1_000)).toBeLessThan(60);
    }
  });

  test('a webhook that would exceed 20 kB is reduced to its ids', () => {
    const big = { ...endpoint.event(), data: { steps: ['x'.repeat(30_000)] } };
    const body = webhookBody(big);
    expect(Buffer.byteLength(body)).toBeLessThan(20_000);
    expect(JSON.parse(body)).toMatchObject({ data: { event_id: big.id, order_id: big.orderId } });
  });

  test('a webhook has nine retries spread over 75 h 35 min 5 s', async () => {
    const { retryDelaysMs } = await endpoint.subscriber();
    expect(retryDelaysMs).toBe(WEBHOOK_RETRY_DELAYS_MS);
    expect(retryDelaysMs).toHaveLength(9);
    const sumMs = retryDelaysMs.reduce((sum, each) => sum + each, 0);
    expect(sumMs).toBe(75 * HOUR_MS + 35 * 60_000 + 5_000);
  });
});

describe('a secret rotation', () => {
  test('a rotated webhook secret signs together with the new one until it expires', async () => {
    const [old = ''] = await endpoint.secrets();
    await endpoint.rotate();
    const [fresh = '', previous] = await endpoint.secrets();
    expect([previous, fresh === old]).toEqual([old, false]);
    await endpoint.hand([endpoint.event()]);
    expect(endpoint.receiver.verified(old)).toHaveLength(1);
    expect(endpoint.receiver.verified(fresh)).toHaveLength(1);
    await endpoint.db.webhookEndpoint.update({
      where: { id: endpoint.id },
      data: { previousSecretExpiresAt: new Date(Date.now() - 1) },
    });
    expect(await endpoint.secrets()).toEqual([fresh]);
    await endpoint.hand([endpoint.event()]);
    expect(() => endpoint.receiver.verified(old)).toThrow();
    expect(endpoint.receiver.verified(fresh)).toHaveLength(2);
  });
});

describe('the key of the secrets', () => {
  const other = createSecretCipher([{ id: 'other', key: bytesOf('other') }]);
  const both = createSecretCipher([
    { id: 'other', key: bytesOf('other') },
    { id: 'tests', key: Buffer.alloc(32, 'a key') },
  ]);

  test('without the key every delivery fails and is retried, and a rotation heals the endpoint', async () => {
    await endpoint.seal(other);
    await expect(endpoint.secrets()).rejects.toThrow('ENCRYPTION_KEYS has no key "other"');
    const [failure] = await endpoint.failures([endpoint.event()]);
    expect(failure).toMatchObject({ id: endpoint.event().id, final: false });
    expect(endpoint.receiver.received).toEqual([]);
    await endpoint.rotate();
    const [fresh = '', ...rest] = await endpoint.secrets();
    expect(rest).toEqual([]);
    await endpoint.hand([endpoint.event()]);
    expect(endpoint.receiver.verified(fresh)).toHaveLength(1);
  });

  test('secrets are encrypted again with the first key, and then need no other', async () => {
    await endpoint.rotate();
    const before = await endpoint.secrets();
    expect(await reencryptSecrets(endpoint.db, other)).toMatchObject({ changed: 0 });
    expect((await reencryptSecrets(endpoint.db, other)).unreadable).toHaveLength(2);
    expect(await reencryptSecrets(endpoint.db, both)).toEqual({ changed: 2, unreadable: [] });
    expect(await endpoint.secrets(other)).toEqual(before);
    expect(await reencryptSecrets(endpoint.db, both)).toEqual({ changed: 0, unreadable: [] });
  });
});

describe('webhook attempts', () => {
  test('every webhook attempt is stored with its status, error and the beginning of the response', async () => {
    endpoint.receiver.answer = (response) => response.writeHead(500).end(`${'é'.repeat(2_000)}\0`);
    await endpoint.failures([endpoint.event()]);
    endpoint.receiver.answer = (response) => response.writeHead(204).end();
    await endpoint.hand([endpoint.event()]);
    const [second, first] = await endpoint.attempts();
    expect(first).toMatchObject({
      eventId: endpoint.event().id,
      eventType: endpoint.event().type,
      outcome: 'failed',
      status: 500,
      error: 'HTTP 500',
    });
    expect(first?.response).toMatch(/^é{500,1024}/);
    expect(second).toMatchObject({ outcome: 'delivered', status: 204, error: null, response: '' });
  });

  test('the oldest webhook attempts beyond the limit per endpoint are deleted', async () => {
    await endpoint.hand(endpoint.log.slice(0, 5));
    expect(await trimAttempts(endpoint.db, endpoint.id, KEPT_ATTEMPTS)).toBe(0);
    const [newest, next] = await endpoint.attempts();
    expect(await trimAttempts(endpoint.db, endpoint.id, 2)).toBe(3);
    expect(await endpoint.attempts()).toEqual([newest, next]);
  });

  test('a deleted webhook endpoint has no subscriber and receives nothing', async () => {
    const handing = await endpoint.subscriber();
    await deleteEndpoint(endpoint.db, endpoint.id, OPERATOR);
    await handing.handle(endpoint.log, NEVER);
    expect(
      await createWebhookSubscriber(
        { db: endpoint.db, cipher: CIPHER, sender: SENDER },
        endpoint.id,
      ),
    ).toBeNull();
    expect(endpoint.receiver.received).toEqual([]);
  });
});

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
