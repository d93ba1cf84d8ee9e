import { expect, test } from 'vitest';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { TWILIO } from '../support/gateways.ts';
import { counted, openSandbox } from './shop.ts';

const TO = '+491701234567';
const BODY = 'Holdfast: your order M6T-2Y8-H7C has been shipped.';

test('a message is created as a resource of Twilio, listed newest first, and counted in the ledger', async () => {
  const sandbox = await openSandbox();
  const created = await send(sandbox);
  expect(created.status).toBe(201);
  const resource = {
    sid: expect.stringMatching(/^SM[0-9a-f]{32}$/),
    to: TO,
    from: TWILIO.from,
    body: BODY,
    account_sid: TWILIO.accountSid,
    direction: 'outbound-api',
    num_segments: '1',
    date_created: expect.stringMatching(/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000$/),
  };
  expect(await created.json()).toMatchObject({ ...resource, status: 'queued', date_sent: null });
  await send(sandbox, { Body: 'Later.' });
  await send(sandbox, { To: '+491709999999' });
  const listed = await list(sandbox, { To: TO });
  expect(await listed.json()).toMatchObject({
    messages: [{ body: 'Later.' }, { ...resource, status: 'delivered' }],
    next_page_uri: null,
  });
  const newest = await list(sandbox, { To: TO, PageSize: '1' });
  expect(await newest.json()).toMatchObject({ messages: [{ body: 'Later.' }], page_size: 1 });
  expect(counted(sandbox, 'sms')).toEqual({ send: 3 });
});

test('the same request twice is two messages, because Twilio has no idempotency keys', async () => {
  const sandbox = await openSandbox();
  for (let n = 0; n < 2; n += 1) await send(sandbox, {}, { 'idempotency-key': 'the same' });
  expect(sandbox.texts.sent(TO)).toHaveLength(2);
});

test.each([
  [{ To: '' }, 21604],
  [{ To: '0170 1234567' }, 21211],
  [{ To: '+15005550001' }, 21211],
  [{ To: '+15005550002' }, 21612],
  [{ To: '+15005550003' }, 21408],
  [{ To: '+15005550004' }, 21610],
  [{ To: '+15005550009' }, 21614],
  [{ To: TWILIO.from }, 21266],
  [{ From: '' }, 21603],
  [{ From: '+15005550001' }, 21212],
  [{ From: '+15005550007' }, 21606],
  [{ From: '+15005550008' }, 21611],
  [{ Body: '' }, 21602],
  [{ Body: 'x'.repeat(1_601) }, 21617],
])('a message with %j is refused with code %i, and nothing is sent', async (fields, code) => {
  const sandbox = await openSandbox();
  const response = await send(sandbox, fields);
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({
    code,
    status: 400,
    message: expect.any(String),
    more_info: `https://www.twilio.com/docs/errors/${code}`,
  });
  expect(sandbox.texts.sent()).toEqual([]);
  expect(counted(sandbox, 'sms')).toEqual({});
});

test('a message longer than one SMS takes several, sooner in another alphabet than that of GSM', async () => {
  const sandbox = await openSandbox();
  const segments = async (Body: string) => (await send(sandbox, { Body })).json();
  const cases = [
    ['ä'.repeat(160), '1'],
    ['ä'.repeat(161), '2'],
    ['€'.repeat(80), '1'],
    ['€'.repeat(81), '2'],
    ['ж'.repeat(70), '1'],
    ['ж'.repeat(71), '2'],
  ] as const;
  for (const [body, count] of cases)
    expect(await segments(body)).toMatchObject({ num_segments: count });
});

test('a call without the account and its token is refused', async () => {
  const sandbox = await openSandbox();
  for (const authorization of [
    '',
    'Bearer token',
    basic(`${TWILIO.accountSid}:`),
    basic('AC1:x'),
  ]) {
    const response = await send(sandbox, {}, { authorization });
    expect([response.status, await response.json()]).toMatchObject([401, { code: 20003 }]);
  }
  expect(sandbox.texts.sent()).toEqual([]);
});

test('a message survives a fault of each kind as its name says', async () => {
  const sandbox = await openSandbox();
  const at = { provider: 'sms', operation: 'send' } as const;
  const outcomes = [
    ['fail_before', 500, 20500, 0],
    ['refuse', 400, 21610, 0],
    ['reject', 400, 30007, 0],
  ] as const;
  for (const [mode, status, code, sent] of outcomes) {
    sandbox.faults.set(at, { mode, times: 1, ...(mode === 'reject' && { code: String(code) }) });
    const response = await send(sandbox);
    expect([response.status, await response.json()]).toMatchObject([status, { code }]);
    expect(sandbox.texts.sent()).toHaveLength(sent);
  }
  sandbox.faults.set(at, { mode: 'down', times: 1 });
  await expect(send(sandbox)).rejects.toThrow('fetch failed');
  expect(sandbox.texts.sent()).toHaveLength(0);
  sandbox.faults.set(at, { mode: 'answer_lost', times: 1 });
  await expect(send(sandbox)).rejects.toThrow('fetch failed');
  expect(sandbox.texts.sent()).toHaveLength(1);
  sandbox.faults.set({ ...at, operation: 'lookup' }, { mode: 'refuse', times: 1 });
  expect((await list(sandbox, {})).status).toBe(429);
});

test('the messages are JSON for programs, and for people a page that escapes them', async () => {
  const sandbox = await openSandbox();
  await send(sandbox, { Body: '<script>alert(1)</script>' });
  const json = await fetch(`${sandbox.url}/sms?to=${encodeURIComponent(TO)}`);
  expect(await json.json()).toMatchObject({ texts: [{ to: TO, from: TWILIO.from }] });
  const none = await fetch(`${sandbox.url}/sms?to=%2B491`);
  expect(await none.json()).toEqual({ texts: [] });
  const page = await fetch(`${sandbox.url}/sms`, { headers: { Accept: 'text/html' } });
  const text = await page.text();
  expect(text).toContain('Text messages (1)');
  expect(text).toContain('&lt;script&gt;');
  expect(text).not.toContain('<script>');
  await fetch(`${sandbox.url}/ledger`, { method: 'DELETE' });
  expect(sandbox.texts.sent()).toEqual([]);
});

const basic = (credentials: string): string =>
  `Basic ${Buffer.from(credentials).toString('base64')}`;
const AUTHORIZATION = basic(`${TWILIO.accountSid}:${TWILIO.authToken}`);
const PATH = `/2010-04-01/Accounts/${TWILIO.accountSid}/Messages.json`;

function send(sandbox: Sandbox, fields: object = {}, headers: object = {}): Promise<Response> {
  return fetch(`${sandbox.url}${PATH}`, {
    method: 'POST',
    headers: { authorization: AUTHORIZATION, ...headers },
    body: new URLSearchParams({ To: TO, From: TWILIO.from, Body: BODY, ...fields }),
  });
}

function list(sandbox: Sandbox, query: Record<string, string>): Promise<Response> {
  const url = `${sandbox.url}${PATH}?${new URLSearchParams(query).toString()}`;
  return fetch(url, { headers: { authorization: AUTHORIZATION } });
}
