import { describe, expect, test } from 'vitest';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import type { BreakerView } from '../../gateways/resilience/outcome.ts';
import type { Sms, SmsSender } from '../../gateways/sms/sms-sender.ts';
import { createTwilioSms } from '../../gateways/sms/twilio.ts';
import type { Mode } from '../../local/sandbox/faults.ts';
import { TWILIO } from '../support/gateways.ts';
import { startHttpServer } from '../support/http-server.ts';
import { useOpened } from '../support/use-opened.ts';
import { callUntilFaultFires, quickLimits, SHORT_DEADLINE } from './provider.ts';
import { useSandbox } from './stripe-sandbox.ts';

const SEND = { provider: 'sms', operation: 'send' } as const;
const LOOK_UP = { provider: 'sms', operation: 'lookup' } as const;
const SERVICE = `MG${'1'.repeat(32)}`;

const sandbox = useSandbox();
/** Lists `listed`, and answers every request to send with `next`. */
const next = { status: 201, body: '{"sid":"SM1"}', listed: '[]' };
const provider = useOpened(() =>
  startHttpServer((request, response) => {
    const isList = request.method === 'GET';
    response
      .writeHead(isList ? 200 : next.status, { 'retry-after': '600' })
      .end(isList ? `{"messages":${next.listed}}` : next.body);
  }),
);

function senderTo(
  apiUrl: string,
  changes: Partial<CallLimits> = {},
  from: string = TWILIO.from,
): SmsSender {
  const limits = quickLimits(changes);
  return createTwilioSms({ ...TWILIO, apiUrl, from, limits: { send: limits, lookup: limits } });
}

let serial = 0;
/** To a number of its own. */
function newSms(): Sms {
  serial += 1;
  return { to: `+4917012345${String(serial).padStart(3, '0')}`, body: `Order ${serial} shipped.` };
}

const sentTo = ({ to }: Sms): readonly string[] => sandbox.texts.sent(to).map(({ body }) => body);

describe('a text message', () => {
  test('a message is sent from the number, or by the messaging service', async () => {
    const [first, second] = [newSms(), newSms()];
    expect(await senderTo(sandbox.url).send(first)).toEqual({ kind: 'sent' });
    expect(await senderTo(sandbox.url, {}, SERVICE).send(second)).toEqual({ kind: 'sent' });
    expect(sandbox.texts.sent(first.to)).toMatchObject([{ ...first, from: TWILIO.from }]);
    expect(sandbox.texts.sent(second.to)).toMatchObject([
      { ...second, from: null, messaging_service_sid: SERVICE },
    ]);
  });

  test('a message that was sent before is not sent again, and another one to the number is', async () => {
    const sms = newSms();
    for (let n = 0; n < 3; n += 1) {
      expect(await senderTo(sandbox.url).send(sms)).toEqual({ kind: 'sent' });
    }
    await senderTo(sandbox.url).send({ ...sms, body: 'Another order shipped.' });
    expect(sentTo(sms)).toEqual([sms.body, 'Another order shipped.']);
  });

  test('a message that Twilio could not deliver is sent again, and one behind the words of a trial account is not', async () => {
    const sms = newSms();
    const sender = senderTo(provider.url);
    next.status = 400;
    next.body = '{"code":21610}';
    for (const status of ['failed', 'undelivered', 'canceled']) {
      next.listed = JSON.stringify([{ body: sms.body, status }]);
      expect(await sender.send(sms)).toEqual({ kind: 'refused', reason: 'twilio_21610' });
    }
    for (const status of ['queued', 'sending', 'sent', 'delivered', 'accepted']) {
      next.listed = JSON.stringify([{ body: `Sent from a trial account - ${sms.body}`, status }]);
      expect(await sender.send(sms)).toEqual({ kind: 'sent' });
    }
  });
});

describe('under a fault', () => {
  test('a message whose response is lost has an unknown outcome, and the next attempt finds it', async () => {
    const sms = newSms();
    sandbox.faults.set(SEND, { mode: 'answer_lost', times: 1 });
    const sender = senderTo(sandbox.url);
    expect(await sender.send(sms)).toMatchObject({ kind: 'unknown' });
    expect(await sender.send(sms)).toEqual({ kind: 'sent' });
    expect(sentTo(sms)).toEqual([sms.body]);
  });

  test.each(['fail_before', 'down', 'hang'] satisfies Mode[])(
    'a message under %s has an unknown outcome, and the next attempt sends it once',
    async (mode) => {
      const sms = newSms();
      sandbox.faults.set(SEND, { mode });
      const sender = senderTo(sandbox.url, SHORT_DEADLINE);
      await callUntilFaultFires(sandbox.faults, async () => {
        expect((await sender.send(sms)).kind).toMatch(/^un/);
      });
      sandbox.faults.clear();
      expect(await senderTo(sandbox.url).send(sms)).toEqual({ kind: 'sent' });
      expect(sentTo(sms)).toEqual([sms.body]);
    },
  );

  test.each(['fail_before', 'down', 'refuse'] satisfies Mode[])(
    'nothing is sent while the look-up is under %s',
    async (mode) => {
      const sms = newSms();
      sandbox.faults.set(LOOK_UP, { mode, times: 1 });
      const sender = senderTo(sandbox.url);
      // Too many requests are asked again within the deadline.
      expect((await sender.send(sms)).kind).toBe(mode === 'refuse' ? 'sent' : 'unknown');
      expect(sentTo(sms)).toHaveLength(mode === 'refuse' ? 1 : 0);
      expect(await sender.send(sms)).toEqual({ kind: 'sent' });
      expect(sentTo(sms)).toEqual([sms.body]);
    },
  );

  test('an open circuit breaker keeps messages from being sent, and names its last error', async () => {
    sandbox.faults.set(SEND, { mode: 'down' });
    const sender = senderTo(sandbox.url, { breakAfter: 1 });
    await sender.send(newSms());
    expect(await sender.send(newSms())).toMatchObject({ kind: 'unavailable', breakerOpen: true });
    expect(sender.breakers()).toMatchObject([
      { name: 'sms.lookup', state: 'closed' },
      { name: 'sms.send', state: 'open' },
    ]);
  });
});

describe('what Twilio answers', () => {
  test.each([
    ['+15005550001', 'twilio_21211'],
    ['+15005550002', 'twilio_21612'],
    ['+15005550003', 'twilio_21408'],
    ['+15005550004', 'twilio_21610'],
    ['+15005550009', 'twilio_21614'],
    ['123', 'twilio_21211'],
  ])('a message to %s is refused with %s', async (to, reason) => {
    const outcome = await senderTo(sandbox.url).send({ to, body: 'Shipped.' });
    expect(outcome).toEqual({ kind: 'refused', reason });
  });

  test.each([
    ['+15005550001', /refuses our credentials or account \(twilio_21212\)/],
    ['+15005550007', /refuses our credentials or account \(twilio_21606\)/],
    ['+15005550008', /is busy \(twilio_21611\)/],
  ])('a sender %s keeps the message waiting, because it is our account', async (from, words) => {
    const outcome = await senderTo(sandbox.url, { deadlineMs: 500 }, from).send(newSms());
    expect(outcome).toMatchObject({ kind: 'unavailable', reason: expect.stringMatching(words) });
  });

  test('wrong credentials are shown as the reason of the breaker', async () => {
    const sender = createTwilioSms({ ...TWILIO, apiUrl: sandbox.url, authToken: '' });
    expect(await sender.send(newSms())).toMatchObject({ kind: 'unavailable' });
    expect(sender.breakers()[0]?.reason).toMatch(
      /refuses our credentials or account \(twilio_20003\)/,
    );
  });

  test('each status has one meaning, with a code of Twilio or without', async () => {
    next.listed = '[]';
    for (const status of STATUSES) {
      for (const code of [null, 20_001, 21_610]) {
        Object.assign(next, { status, body: code === null ? '<html>' : JSON.stringify({ code }) });
        const sender = senderTo(provider.url, { breakAfter: 1, deadlineMs: 5_000 });
        const { kind } = await sender.send(newSms());
        const result = { kind, isCounted: isOpen(sender.breakers()) };
        expect([status, code, result]).toEqual([status, code, meaningOf(status, code)]);
      }
    }
  });

  test('an answer outside of the contract is not understood, and an outcome names no person', async () => {
    const sms = newSms();
    const answers = [
      ['{}', '[]'],
      ['{"sid":"SM1"}', '[{"body":1}]'],
      ['{"sid":7}', '[]'],
    ];
    for (const [body, listed] of answers) {
      Object.assign(next, { status: 201, body, listed });
      const outcome = await senderTo(provider.url).send(sms);
      expect(outcome).toMatchObject({ kind: 'unknown', notUnderstood: true });
    }
    Object.assign(next, { status: 400, listed: '[]' });
    next.body = JSON.stringify({ code: 21_211, message: `The number ${sms.to} is not valid` });
    expect(JSON.stringify(await senderTo(provider.url).send(sms))).not.toContain(sms.to);
  });
});

/** Each that means something, its neighbours, and the ends of each hundred. */
const STATUSES = [
  300, 399, 400, 401, 402, 403, 404, 405, 408, 409, 410, 421, 422, 423, 424, 425, 426, 428, 429,
  430, 499, 500, 502, 503, 504, 599,
];

/** By docs/failures.md. */
function meaningOf(status: number, code: number | null) {
  const isJudged = code !== null && status < 500 && (status === 400 || code === 21_610);
  if (isJudged) return { kind: 'refused', isCounted: false };
  if ([401, 403].includes(status)) return { kind: 'unavailable', isCounted: true };
  if (status === 409) return { kind: 'unknown', isCounted: false };
  if ([423, 425, 429].includes(status)) return { kind: 'unavailable', isCounted: false };
  return { kind: 'unknown', isCounted: true };
}

function isOpen(breakers: readonly BreakerView[]): boolean {
  return breakers.some(({ state }) => state === 'open');
}
