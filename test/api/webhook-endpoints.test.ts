import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { findSubscription } from '../../prisma/events/subscriptions.ts';
import { MAX_ENDPOINTS } from '../../prisma/events/webhook-endpoints.ts';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { endpoint, endpointCalls, PATH } from './endpoint-calls.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';
import { whileLocked } from '../support/while-locked.ts';

const UNKNOWN = 'we_01k9zq3v5nfa3s4w1m6t2y8h7c';
const result = z.looseObject({ event_id: z.string(), latency_ms: z.number() });

const shop = useShop();
let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const role = 'operator' as const;
const { get, post, patch, create } = endpointCalls(() => ({ shop, url: receiver.url }));
const remove = (id: string) => shop.request('DELETE', `${PATH}/${id}`, { role });

async function fetchEndpoint(id: string) {
  const response = await get(`/${id}`);
  expect(response.status).toBe(200);
  return endpoint.parse(await response.json());
}

async function placeOrder(): Promise<string> {
  return (await orderOf(await shop.place())).id;
}

describe('adding an endpoint', () => {
  test('a new endpoint returns 201 with its location and secret, and its subscription is started', async () => {
    await placeOrder();
    const response = await post('', { url: receiver.url, types: ['order.placed', 'order.placed'] });
    expect(response.status).toBe(201);
    const added = endpoint.parse(await response.json());
    expect(response.headers.get('location')).toBe(`${PATH}/${added.id}`);
    expect(added).toMatchObject({
      object: 'webhook_endpoint',
      url: receiver.url,
      types: ['order.placed'],
      status: 'enabled',
      disabled_reason: null,
    });
    expect(added.id).toMatch(/^we_/);
    const bytes = Buffer.from((added.secret ?? '').replace(/^whsec_/, ''), 'base64');
    expect(bytes).toHaveLength(32);
    const name = `webhook/${added.id}`;
    expect(shop.deliveries.subscriptions).toContain(name);
    expect(await findSubscription(shop.db, name)).toMatchObject({ types: ['order.placed'] });
  });

  test("an endpoint's secret is absent from the list, from later reads, and from the log", async () => {
    const { id, secret = 'none' } = await create();
    expect(await fetchEndpoint(id)).not.toHaveProperty('secret');
    for (const path of ['', `/${id}`, `/${id}/deliveries`]) {
      expect(await (await get(path)).text()).not.toContain(secret);
    }
    expect(shop.logged.join('')).not.toContain(secret);
  });

  test('20 concurrent creations with one key add one endpoint and get the same response', async () => {
    const key = randomUUID();
    const before = await shop.db.webhookEndpoint.count();
    const body = { url: receiver.url };
    const responses = await Promise.all(times(20, () => post('', body, key)));
    const done = responses.filter(({ status }) => status === 201);
    expect(done.length).toBeGreaterThan(0);
    expect(new Set(await Promise.all(done.map((each) => each.text()))).size).toBe(1);
    expect(await shop.db.webhookEndpoint.count()).toBe(before + 1);
    const replay = await post('', body, key);
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    const other = await post('', { url: `${receiver.url}/other` }, key);
    expect((await problemOf(other)).code).toBe('idempotency_key_reused');
  });

  test('an endpoint is added while Temporal is unavailable', async () => {
    shop.checkouts.reachable = false;
    const { id } = await create();
    expect(await findSubscription(shop.db, `webhook/${id}`)).not.toBeNull();
  });

  test.each([
    'https://10.0.0.1/hooks',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::ffff:127.0.0.1]/',
    'https://user:secret@example.com/',
    'ftp://127.0.0.1/',
    'nonsense',
  ])('the endpoint URL %s is refused with a pointer, on creation and on change', async (url) => {
    const refused = { code: 'invalid_request', errors: [{ pointer: '#/url' }] };
    expect(await problemOf(await post('', { url }))).toMatchObject(refused);
    const { id } = await create();
    expect(await problemOf(await patch(id, { url }))).toMatchObject(refused);
    expect((await fetchEndpoint(id)).url).toBe(receiver.url);
  });

  test('an endpoint with an unknown type or field returns 422, and one without a key is refused', async () => {
    const types = await problemOf(await post('', { url: receiver.url, types: ['order.eaten'] }));
    expect(types).toMatchObject({ status: 422, errors: [{ pointer: '#/types/0' }] });
    const more = await problemOf(await post('', { url: receiver.url, color: 'red' }));
    expect(more).toMatchObject({ status: 422, errors: [{ pointer: '#/color' }] });
    const keyless = await shop.request('POST', PATH, { role, body: { url: receiver.url } });
    expect((await problemOf(keyless)).code).toBe('idempotency_key_required');
  });

  test('an endpoint over the maximum number is refused as too_many_endpoints', async () => {
    const kept = await shop.db.webhookEndpoint.count();
    const extra = times(MAX_ENDPOINTS - kept, (at) => ({
      id: `we_extra_${at}`,
      url: receiver.url,
      secret: 'v1:none:',
    }));
    await shop.db.webhookEndpoint.createMany({ data: extra });
    const refused = await post('', { url: receiver.url });
    expect((await problemOf(refused)).code).toBe('too_many_endpoints');
    await shop.db.webhookEndpoint.deleteMany({ where: { id: { startsWith: 'we_extra_' } } });
  });
});

describe('an endpoint', () => {
  test('endpoints are listed newest first, page by page', async () => {
    for (let at = 0; at < 3; at += 1) await create();
    const ids: unknown[] = [];
    let after = '';
    for (;;) {
      const page = await listOf(await get(`?limit=2${after}`));
      ids.push(...page.data.map(({ id }) => id));
      if (!page.has_more) break;
      after = `&starting_after=${String(ids.at(-1))}`;
    }
    const all = await shop.db.webhookEndpoint.findMany({ orderBy: { id: 'desc' } });
    expect(ids).toEqual(all.map(({ id }) => id));
  });

  test("a change of an endpoint's types changes its subscription, and enabling it clears the disabled reason", async () => {
    const { id } = await create();
    await patch(id, { types: ['order.shipped'], status: 'disabled' });
    expect(await fetchEndpoint(id)).toMatchObject({
      types: ['order.shipped'],
      status: 'disabled',
      disabled_reason: 'disabled by an operator',
    });
    expect(await findSubscription(shop.db, `webhook/${id}`)).toMatchObject({
      types: ['order.shipped'],
    });
    const enabled = await patch(id, { status: 'enabled' });
    expect(await enabled.json()).toMatchObject({ status: 'enabled', disabled_reason: null });
  });

  test('a delete of an endpoint waits for a change of it, and neither fails', async () => {
    const { id } = await create();
    const deleted = await whileLocked(shop.databaseUrl, {
      first: `UPDATE webhook_endpoints SET updated_at = now() WHERE id = '${id}'`,
      meanwhile: () => remove(id),
      finish: `UPDATE subscriptions SET updated_at = now() WHERE name = 'webhook/${id}'`,
    });
    expect(deleted.status).toBe(204);
    expect(await findSubscription(shop.db, `webhook/${id}`)).toBeNull();
  });

  test('a delete of an endpoint returns 204 and removes its subscription and deliveries', async () => {
    const { id } = await create();
    await post(`/${id}/test`);
    expect((await remove(id)).status).toBe(204);
    expect((await remove(id)).status).toBe(404);
    expect(await findSubscription(shop.db, `webhook/${id}`)).toBeNull();
    expect(await shop.db.webhookAttempt.count({ where: { endpointId: id } })).toBe(0);
  });

  test('every call for an unknown endpoint returns endpoint_not_found', async () => {
    const responses = [
      await get(`/${UNKNOWN}`),
      await patch(UNKNOWN, { types: [] }),
      await remove(UNKNOWN),
      await get(`/${UNKNOWN}/deliveries`),
      await post(`/${UNKNOWN}/redeliver`, { event_id: randomUUID() }),
      await post(`/${UNKNOWN}/rotate-secret`),
      await post(`/${UNKNOWN}/test`),
    ];
    for (const response of responses)
      expect((await problemOf(response)).code).toBe('endpoint_not_found');
  });
});

describe('a test event', () => {
  test("a test event is signed, returns the receiver's status and latency, and is listed among the deliveries", async () => {
    const { id, secret = '' } = await create();
    receiver.answer = (response) => response.writeHead(200).end('thanks');
    const sent = result.parse(await (await post(`/${id}/test`)).json());
    expect(sent).toMatchObject({
      object: 'webhook_test',
      outcome: 'delivered',
      status: 200,
      response: 'thanks',
    });
    const [got] = receiver.verified(secret);
    expect(got).toMatchObject({ id: sent.event_id, json: { type: 'webhook_endpoint.test' } });
    const { data } = await listOf(await get(`/${id}/deliveries`));
    expect(data).toMatchObject([{ event_id: sent.event_id, event_type: 'webhook_endpoint.test' }]);
  });

  test('a test event to a failing or unreachable receiver returns the failure', async () => {
    const { id } = await create();
    receiver.answer = (response) => response.writeHead(302, { location: '/' }).end();
    const failed = await (await post(`/${id}/test`)).json();
    expect(failed).toMatchObject({ outcome: 'failed', status: 302, error: 'HTTP 302' });
    await receiver.close();
    const away = await (await post(`/${id}/test`)).json();
    expect(away).toMatchObject({ status: null, error: 'no response: connection_econnrefused' });
    receiver = await startReceiver();
  });
});

describe('a new secret', () => {
  test('after a rotation both secrets sign, the old one expires after a day, and the same key replays the response', async () => {
    const { id, secret: old = '' } = await create();
    const key = randomUUID();
    const rotated = await post(`/${id}/rotate-secret`, undefined, key);
    expect(rotated.status).toBe(200);
    const schema = z.looseObject({ secret: z.string(), previous_secret_expires_at: z.string() });
    const text = await rotated.text();
    const { secret, previous_secret_expires_at: expiresAt } = schema.parse(JSON.parse(text));
    expect(secret).not.toBe(old);
    expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(23.9 * 3_600_000);
    const again = await post(`/${id}/rotate-secret`, undefined, key);
    expect([again.headers.get('idempotent-replayed'), await again.text()]).toEqual(['true', text]);
    await post(`/${id}/test`);
    expect(receiver.verified(old)).toHaveLength(1);
    expect(receiver.verified(secret)).toHaveLength(1);
    const keyless = await shop.request('POST', `${PATH}/${id}/rotate-secret`, { role });
    expect((await problemOf(keyless)).code).toBe('idempotency_key_required');
  });
});

describe('a stored secret', () => {
  const secretIn = (text: string): unknown => z.looseObject({}).parse(JSON.parse(text))['secret'];
  /** All that the database has, but for the digests of the API keys. */
  const everything = async (): Promise<string> => {
    const tables = await shop.db.$queryRaw<{ name: string }[]>`
      SELECT relname AS name FROM pg_stat_user_tables`;
    const rows = tables.map(({ name }) => shop.db.$queryRawUnsafe(`SELECT t::text FROM ${name} t`));
    return JSON.stringify(await Promise.all(rows));
  };

  test('no secret is in any table in clear text, not even in stored responses', async () => {
    const key = randomUUID();
    const { id, secret = 'none' } = await create();
    const rotated = secretIn(await (await post(`/${id}/rotate-secret`, undefined, key)).text());
    await post(`/${id}/test`);
    const stored = await everything();
    expect(stored).toContain(id);
    for (const each of [secret, String(rotated)]) {
      expect(each).toMatch(/^whsec_/);
      expect(stored).not.toContain(each.replace('whsec_', ''));
    }
  });

  test('a replay shows the secret byte for byte while it is the current one', async () => {
    const key = randomUUID();
    const body = { url: receiver.url };
    const first = await (await post('', body, key)).text();
    expect(secretIn(first)).toMatch(/^whsec_/);
    expect(await (await post('', body, key)).text()).toBe(first);
  });

  test('a replay shows no secret after a rotation, and the rest of the response is the same', async () => {
    const [created, first, second] = [randomUUID(), randomUUID(), randomUUID()];
    const body = { url: receiver.url };
    const answer = await (await post('', body, created)).text();
    const id = String(z.looseObject({}).parse(JSON.parse(answer))['id']);
    const rotate = async (key: string) =>
      (await post(`/${id}/rotate-secret`, undefined, key)).text();
    const firstRotation = await rotate(first);
    const replay = await post('', body, created);
    expect([replay.status, replay.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    const replayed = await replay.text();
    expect(JSON.parse(replayed)).toEqual({ ...JSON.parse(answer), secret: undefined });
    expect(await rotate(first)).toBe(firstRotation);
    const secondRotation = await rotate(second);
    expect(secretIn(await rotate(first))).toBeUndefined();
    expect(await rotate(second)).toBe(secondRotation);
    const shown = [answer, firstRotation, secondRotation].map(secretIn);
    expect(new Set(shown).size).toBe(3);
  });

  test('a replay shows no secret after the deletion of the endpoint', async () => {
    const [created, rotated] = [randomUUID(), randomUUID()];
    const body = { url: receiver.url };
    const { id } = endpoint.parse(await (await post('', body, created)).json());
    await post(`/${id}/rotate-secret`, undefined, rotated);
    await remove(id);
    const replays = [
      await post('', body, created),
      await post(`/${id}/rotate-secret`, undefined, rotated),
    ];
    for (const replay of replays) {
      expect(replay.headers.get('idempotent-replayed')).toBe('true');
      expect(await replay.text()).not.toContain('whsec_');
    }
  });

  test('the database refuses a secret in clear text', async () => {
    const { id } = await create();
    for (const data of [{ secret: 'whsec_x' }, { previousSecret: 'whsec_x' }]) {
      await expect(shop.db.webhookEndpoint.update({ where: { id }, data })).rejects.toThrow();
    }
  });
});

test('the audit log has the actor of each creation, change, rotation, and deletion of an endpoint, but no URL', async () => {
  const { id } = await create();
  await patch(id, { url: `${receiver.url}/canary` });
  await patch(id, { status: 'disabled', types: ['order.paid'] });
  const rotate = () => post(`/${id}/rotate-secret`, undefined, `rotate-${id}`);
  await rotate();
  await rotate();
  await remove(id);
  await remove(id);
  const actions = await shop.db.auditEntry.findMany({
    where: { subject: id },
    orderBy: { id: 'asc' },
  });
  expect(actions.map(({ action, data }) => [action, data])).toEqual([
    ['webhook_endpoint.created', { types: [] }],
    ['webhook_endpoint.changed', { url_changed: true }],
    ['webhook_endpoint.changed', { url_changed: false, types: ['order.paid'], status: 'disabled' }],
    ['webhook_endpoint.secret_rotated', {}],
    ['webhook_endpoint.deleted', {}],
  ]);
  for (const { actor, data } of actions) {
    expect(actor).toBe('operator/key_local_operator');
    expect(JSON.stringify(data)).not.toMatch(/http|canary|whsec/);
  }
});
