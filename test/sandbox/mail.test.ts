import { createTransport } from 'nodemailer';
import { expect, onTestFinished, test } from 'vitest';
import type { Mode } from '../../local/sandbox/faults.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { counted, openSandbox } from './shop.ts';

const SEND = { provider: 'mail', operation: 'send' } as const;
const TIMEOUT_MS = 30_000;
const ID = '<ord_1.confirmed@holdfast.example>';

test('a mail arrives complete and is listed under its recipient only', async () => {
  const sandbox = await openSandbox();
  await send(sandbox);
  const listed = await fetch(`${sandbox.url}/inbox?to=ADA@example.com`);
  expect(await listed.json()).toEqual({
    mails: [
      {
        to: 'ada@example.com',
        subject: 'Grüße',
        text: 'Hello <Ada>\n',
        html: expect.stringContaining('<b>Ada</b>'),
        message_id: ID,
        at: expect.any(String),
      },
    ],
  });
  expect(sandbox.inbox.mails('eve@example.com')).toEqual([]);
  expect(sandbox.ledgers.mail.effects()).toEqual([
    { key: 'ord_1.confirmed', operation: 'send', order_id: 'ord_1', at: expect.any(String) },
  ]);
});

test('a mail with a repeated Message-ID is listed once and counted twice', async () => {
  const sandbox = await openSandbox();
  await send(sandbox);
  await send(sandbox);
  expect(sandbox.inbox.mails()).toHaveLength(1);
  expect(counted(sandbox, 'mail')).toEqual({ send: 2 });
});

test('the inbox page escapes markup in a mail', async () => {
  const sandbox = await openSandbox();
  await send(sandbox, { subject: '<script>alert(1)</script>' });
  const page = await fetch(`${sandbox.url}/inbox`, { headers: { Accept: 'text/html' } });
  expect(page.headers.get('content-type')).toContain('text/html');
  const text = await page.text();
  expect(text).toContain('&lt;script&gt;');
  expect(text).not.toContain('<script>');
});

test('the HTML of a mail is served alone, in a sandbox of the browser, and without scripts', async () => {
  const sandbox = await openSandbox();
  await send(sandbox);
  const inbox = await fetch(`${sandbox.url}/inbox`, { headers: { Accept: 'text/html' } });
  const text = await inbox.text();
  expect(text).toContain('sandbox=""');
  const [, path = ''] = /src="(\/inbox\/html\/[^"]+)"/.exec(text) ?? [];
  const html = await fetch(`${sandbox.url}${path}`);
  expect(await html.text()).toContain('<b>Ada</b>');
  const policy = html.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toMatch(/; sandbox$/);
  const none = await fetch(`${sandbox.url}/inbox/html/none`);
  expect(none.status).toBe(404);
});

test('the inbox page is filtered by order and shows at most fifty mails', async () => {
  const sandbox = await openSandbox();
  for (let n = 1; n <= 51; n += 1) receive(sandbox, `<ord_${n}.confirmed@holdfast.example>`);
  const read = async (query: string) => {
    const headers = { Accept: 'text/html' };
    return (await fetch(`${sandbox.url}/inbox?${query}`, { headers })).text();
  };
  const first = await read('');
  expect(first.match(/<details class="mail"/g)).toHaveLength(50);
  expect(first).toContain('Page 1 of 2');
  const second = await read('page=2');
  expect(second).toContain('ord_1.confirmed');
  expect(second.match(/<details class="mail"/g)).toHaveLength(1);
  const ofOrder = await read('order=ord_7');
  expect(ofOrder).toContain('Inbox (1)');
  expect(ofOrder).toContain('ord_7.confirmed');
});

test.each([
  ['fail_before', { responseCode: 451 }, 0],
  ['fail_saved', { responseCode: 451 }, 0],
  ['refuse', { responseCode: 550 }, 0],
  ['down', { code: 'ECONNECTION' }, 0],
  ['hang', { code: 'ETIMEDOUT' }, 0],
  ['answer_lost', { code: 'ECONNECTION' }, 1],
] satisfies [Mode, object, number][])(
  'a mail under %s returns an error to the sender, and the next attempt is delivered',
  async (mode, error, arrived) => {
    const sandbox = await openSandbox();
    sandbox.faults.set(SEND, { mode, times: 1 });
    const socketTimeout = mode === 'hang' ? 500 : TIMEOUT_MS;
    // Retried when the short timeout passed before the fault fired.
    await eventually(async () => {
      await expect(send(sandbox, { socketTimeout })).rejects.toMatchObject(error);
      expect(sandbox.faults.list()).toMatchObject([{ fired: 1 }]);
    });
    expect(sandbox.inbox.mails()).toHaveLength(arrived);
    await send(sandbox);
    expect(sandbox.inbox.mails()).toHaveLength(1);
    expect(counted(sandbox, 'mail')).toEqual({ send: arrived + 1 });
    expect(sandbox.faults.list()).toMatchObject([{ mode, fired: 1, times: 0 }]);
  },
);

function receive(sandbox: Sandbox, messageId: string): void {
  const mime = { messageId, subject: 'Confirmed', text: 'Hello', html: null, language: null };
  sandbox.inbox.receive({ recipients: ['ada@example.com'], mime });
}

async function send(
  sandbox: Sandbox,
  { subject = 'Grüße', socketTimeout = TIMEOUT_MS } = {},
): Promise<void> {
  const transport = createTransport({
    host: '127.0.0.1',
    port: sandbox.smtpPort,
    ignoreTLS: true,
    socketTimeout,
  });
  onTestFinished(() => transport.close());
  await transport.sendMail({
    from: 'Holdfast <orders@holdfast.example>',
    to: 'ada@example.com',
    subject,
    text: 'Hello <Ada>',
    html: '<p>Hello <b>Ada</b></p>',
    messageId: ID,
  });
}
