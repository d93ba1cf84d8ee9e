/**
 * Text messages by Twilio's REST API (https://www.twilio.com/docs/messaging/api/message-resource).
 *
 * Twilio takes no idempotency key for a message, and an attempt cannot know of an earlier one: its worker
 * may have died after the request. So every attempt begins with a look-up. A message to the same number
 * with the same body was sent before, because the body has the order's number and is constant; then
 * nothing is sent. One read per message is the price of never sending two. A request that Twilio carries
 * out only after the next attempt's look-up would be a second message: nothing in its API prevents that.
 *
 * | answer                                         | outcome                                         |
 * | ---------------------------------------------- | ----------------------------------------------- |
 * | 400, or a code 21xxx: Twilio judged the message | `refused`                                       |
 * | a code about our sender; 401, 403              | `unavailable`, shown by /readyz: our account    |
 * | 429; 21611: the sender's queue is full         | `unavailable` after its Retry-After             |
 * | 5xx, no answer, not understood                 | `unknown`: the next attempt looks it up         |
 *
 * Twilio adds codes over time and asks to go by the status, so only codes that mean something else than
 * their status are listed.
 */
import { z } from 'zod';
import {
  AccessRefused,
  Inconclusive,
  ProviderBusy,
  ProviderFault,
  throwUnlessRefusal,
} from '../resilience/faults.ts';
import { createGuard } from '../resilience/guard.ts';
import { answerId, fetchOnce, parseBody, readBody } from '../resilience/http.ts';
import { SMS_LIMITS, type SmsLimits } from '../resilience/limits.ts';
import type { BreakerListener } from '../resilience/outcome.ts';
import type { SendOutcome } from '../mail/mailer.ts';
import type { Sms, SmsSender } from './sms-sender.ts';

export interface TwilioOptions {
  readonly apiUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** A number in E.164, an alphanumeric sender ID, or the SID of a messaging service (`MG...`). */
  readonly from: string;
  readonly limits?: SmsLimits | undefined;
  readonly onBreakerChange?: BreakerListener | undefined;
}

/** Opens nothing until the first message. Throws TypeError when `apiUrl` is no URL. */
export function createTwilioSms(options: TwilioOptions): SmsSender {
  const { limits = SMS_LIMITS, onBreakerChange: onChange } = options;
  const looking = createGuard({ name: 'sms.lookup', ...limits.lookup, onChange });
  const sending = createGuard({ name: 'sms.send', ...limits.send, onChange });
  const request = createRequest(options);

  async function isKnown({ to, body }: Sms, signal: AbortSignal): Promise<boolean> {
    // Not by DateSent, which a message has only once it left Twilio's queue.
    const answer = await request({ To: to, PageSize: NEWEST }, { method: 'GET', signal });
    if (answer.status !== 200) throw lookUpFailed(answer);
    const { messages } = readBody(messagesSchema, parseBody(answer.text));
    // A trial account puts its own words before the body.
    return messages.some((each) => each.body.endsWith(body) && !NOT_SENT.includes(each.status));
  }

  async function post({ to, body }: Sms, signal: AbortSignal): Promise<SendOutcome> {
    const form = { To: to, Body: body, ...senderOf(options.from) };
    const answer = await request(form, { method: 'POST', signal });
    if (answer.status !== 200 && answer.status !== 201) return readRefusal(answer);
    readBody(createdSchema, parseBody(answer.text));
    return { kind: 'sent' };
  }

  return {
    async send(sms) {
      const known = await looking.run((signal) => isKnown(sms, signal));
      if (typeof known !== 'boolean') return known;
      return known ? { kind: 'sent' } : sending.run((signal) => post(sms, signal));
    },
    breakers: () => [looking.view(), sending.view()],
  };
}

/** Of the messages to one number: an order's is among the newest. */
const NEWEST = '50';
/** States of a message that was not delivered: to send it again makes no second one. */
const NOT_SENT: readonly string[] = ['failed', 'undelivered', 'canceled'];

const messagesSchema = z.object({
  messages: z.array(z.object({ body: z.string(), status: z.string() })).max(Number(NEWEST)),
});
const createdSchema = z.object({ sid: answerId });
const errorSchema = z.object({ code: z.int() });

/** Invalid, missing, not ours, or not able to send: https://www.twilio.com/docs/api/errors */
const SENDER_CODES: readonly (number | null)[] = [
  21212, 21603, 21606, 21659, 21660, 21661, 21703, 21705,
];
const QUEUE_FULL = 21611;

type Fields = Readonly<Record<string, string>>;
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The fields are the query of a GET and the form of a POST. */
function createRequest({ apiUrl, accountSid, authToken }: TwilioOptions) {
  const base = apiUrl.endsWith('/') ? apiUrl : `${apiUrl}/`;
  const path = `2010-04-01/Accounts/${encodeURIComponent(accountSid)}/Messages.json`;
  const { href } = new URL(path, base);
  const credentials = Buffer.from(`${accountSid}:${authToken}`).toString('base64');
  const headers = { accept: 'application/json', authorization: `Basic ${credentials}` };
  return (fields: Fields, init: Pick<RequestInit, 'method' | 'signal'>): Promise<Answer> => {
    const form = new URLSearchParams(fields).toString();
    if (init.method === 'GET') return fetchOnce(`${href}?${form}`, { ...init, headers });
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    return fetchOnce(href, { ...init, headers: { ...headers, ...type }, body: form });
  };
}

function senderOf(from: string): Fields {
  return /^MG[0-9a-f]{32}$/i.test(from) ? { MessagingServiceSid: from } : { From: from };
}

function readRefusal(answer: Answer): SendOutcome {
  const { status, headers } = answer;
  const code = codeOf(answer);
  const reason = code === null ? `http_${status}` : `twilio_${code}`;
  const response = { status, reason, retryAfter: headers.get('retry-after') };
  if (SENDER_CODES.includes(code)) throw new AccessRefused(reason);
  if (code === QUEUE_FULL) throw new ProviderBusy(response);
  const isJudged = code !== null && (status === 400 || (code >= 21_000 && code < 22_000));
  if (isJudged && status < 500) return { kind: 'refused', reason };
  throwUnlessRefusal(response);
  throw new ProviderFault(reason);
}

/** A refused look-up says nothing about what was sent before. */
function lookUpFailed(answer: Answer): Inconclusive {
  const { status, headers } = answer;
  const code = codeOf(answer);
  const reason = code === null ? `http_${status}` : `twilio_${code}`;
  throwUnlessRefusal({ status, reason, retryAfter: headers.get('retry-after') });
  return new Inconclusive(`lookup_${reason}`);
}

/** Twilio's error code; null when the body is not Twilio's. */
function codeOf({ text }: Answer): number | null {
  try {
    return errorSchema.safeParse(JSON.parse(text)).data?.code ?? null;
  } catch {
    return null;
  }
}
