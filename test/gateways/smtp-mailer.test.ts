import { describe, expect, onTestFinished, test } from 'vitest';
import { notificationKey } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import { createSmtpMailer } from '../../gateways/mail/smtp-mailer.ts';
import type { SmtpMailer } from '../../gateways/mail/smtp-mailer.ts';
import { createSandbox } from '../../local/sandbox/sandbox.ts';
import { advance } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import {
  HALF_OPEN_AFTER_MS,
  SHORT_DEADLINE,
  callUntilFaultFires,
  newOrderId,
  quickLimits,
} from './provider.ts';
import { SECRET, useSandbox } from './stripe-sandbox.ts';
import { choosePort } from '../support/ports.ts';

const SEND = { provider: 'mail', operation: 'send' } as const;

const sandbox = useSandbox();

function mailerOf(changes: Partial<CallLimits> = {}, port = sandbox.smtpPort): SmtpMailer {
  const mailer = createSmtpMailer({
    smtpUrl: `smtp://127.0.0.1:${port}`,
    from: 'Holdfast <orders@holdfast.example>',
    limits: { send: quickLimits({ maxConcurrent: 2, ...changes }) },
  });
  onTestFinished(mailer.close);
  return mailer;
}

function mailTo(to: string, orderId = newOrderId()) {
  const messageKey = notificationKey(orderId, 'confirmed');
  const text = 'Danke: 24,00 €.';
  return {
    messageKey,
    to,
    subject: 'Your order is confirmed',
    text,
    html: `<p>${text}</p>`,
    language: 'de',
  } as const;
}

const timesSent = (messageKey: string) =>
  sandbox.ledgers.mail.effects().filter(({ key }) => key === messageKey).length;

test('a mail arrives with text, HTML, language, and a Message-ID made of key and sender’s domain', async () => {
  const mail = mailTo('ada@customers.example');
  expect(await mailerOf().send(mail)).toEqual({ kind: 'sent' });
  const [received] = sandbox.inbox.mails(mail.to);
  expect(received).toMatchObject({
    subject: mail.subject,
    text: expect.stringContaining(mail.text),
    html: expect.stringContaining(mail.html),
    language: 'de',
    message_id: `<${mail.messageKey}@holdfast.example>`,
  });
});

test('a recipient field with two addresses delivers nothing to the second one', async () => {
  const mail = mailTo('ada@customers.example, eve@customers.example');
  await mailerOf().send(mail);
  expect(sandbox.inbox.mails('eve@customers.example')).toEqual([]);
});

test('an invalid address is refused and leaves the breaker closed', async () => {
  const mailer = mailerOf({ breakAfter: 1 });
  for (const to of ['', 'ada@customers.example\r\nRCPT TO:<eve@customers.example>']) {
    expect(await mailer.send(mailTo(to))).toEqual({
      kind: 'refused',
      reason: expect.stringMatching(/^smtp_/),
    });
  }
  expect(sandbox.inbox.mails('eve@customers.example')).toEqual([]);
  expect(mailer.breakers()).toMatchObject([{ name: 'mail.send', state: 'closed' }]);
});

describe('server faults', () => {
  test('a permanent SMTP refusal returns its code and leaves the breaker closed', async () => {
    sandbox.faults.set(SEND, { mode: 'refuse' });
    const mailer = mailerOf({ breakAfter: 2 });
    for (let i = 0; i < 4; i += 1) {
      const outcome = await mailer.send(mailTo('ada@customers.example'));
      expect(outcome).toEqual({ kind: 'refused', reason: 'smtp_550' });
    }
    expect(mailer.breakers()).toMatchObject([{ name: 'mail.send', state: 'closed' }]);
  });

  test('a temporary SMTP refusal returns unknown', async () => {
    sandbox.faults.set(SEND, { mode: 'fail_before' });
    const outcome = await mailerOf().send(mailTo('ada@customers.example'));
    expect(outcome).toEqual({ kind: 'unknown', reason: 'the mail server answered SMTP 451' });
  });

  test('a lost reply to a whole mail returns unconfirmed, and the pool does not send the mail again', async () => {
    sandbox.faults.set(SEND, { mode: 'answer_lost', times: 1 });
    const mail = mailTo('ada@customers.example');
    const outcome = await mailerOf().send(mail);
    expect(outcome).toEqual({
      kind: 'unconfirmed',
      reason: expect.stringMatching(/^no connection to the mail server \(e/),
    });
    expect(timesSent(mail.messageKey)).toBe(1);
  });

  test('a mail that the SMTP server confirms after the deadline is unconfirmed', async () => {
    sandbox.faults.set(SEND, { mode: 'late', latency_ms: 60_000 });
    // A mail takes several round trips before the fault fires.
    const mailer = mailerOf({ ...SHORT_DEADLINE, deadlineMs: 500 });
    await eventually(async () => {
      const mail = mailTo('ada@customers.example');
      const outcome = await mailer.send(mail);
      const reason = 'no answer from the mail server in time';
      expect(outcome).toEqual({ kind: 'unconfirmed', reason });
      expect(timesSent(mail.messageKey)).toBe(1);
    });
  });

  test('a mail that the SMTP server confirms late, within the deadline, is sent', async () => {
    sandbox.faults.set(SEND, { mode: 'late', latency_ms: 300 });
    const mail = mailTo('ada@customers.example');
    expect(await mailerOf().send(mail)).toEqual({ kind: 'sent' });
    expect(timesSent(mail.messageKey)).toBe(1);
  });

  test('a whole mail that the SMTP server rejects for now returns unknown', async () => {
    sandbox.faults.set(SEND, { mode: 'reject', status: 451, command: 'DATA' });
    const outcome = await mailerOf().send(mailTo('ada@customers.example'));
    expect(outcome).toEqual({ kind: 'unknown', reason: 'the mail server answered SMTP 451' });
  });

  test('a connection closed by the SMTP server returns unknown, and no mail is sent', async () => {
    sandbox.faults.set(SEND, { mode: 'down', times: 1 });
    const mail = mailTo('ada@customers.example');
    expect(await mailerOf().send(mail)).toMatchObject({ kind: 'unknown' });
    expect(timesSent(mail.messageKey)).toBe(0);
  });

  test('a mail to a hanging SMTP server returns unknown in bounded time', async () => {
    sandbox.faults.set(SEND, { mode: 'hang' });
    // A mail takes several round trips before the fault fires.
    const mailer = mailerOf({ ...SHORT_DEADLINE, deadlineMs: 500 });
    await callUntilFaultFires(sandbox.faults, async () => {
      const outcome = await mailer.send(mailTo('ada@customers.example'));
      expect(outcome).toMatchObject({ kind: 'unknown' });
    });
  });

  test('an unreachable SMTP server opens the circuit, and mail is sent again once it is back', async () => {
    const smtpPort = await choosePort();
    const mailer = mailerOf({ breakAfter: 2 }, smtpPort);
    await mailer.send(mailTo('ada@customers.example'));
    await mailer.send(mailTo('ada@customers.example'));
    expect(await mailer.send(mailTo('ada@customers.example'))).toMatchObject({
      kind: 'unavailable',
    });
    const back = await createSandbox({ warehouseCallbackSecret: SECRET, smtpPort });
    advance(HALF_OPEN_AFTER_MS);
    expect(await mailer.send(mailTo('ada@customers.example'))).toEqual({ kind: 'sent' });
    mailer.close();
    await back.close();
  });
});
