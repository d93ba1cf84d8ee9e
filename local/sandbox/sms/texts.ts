/**
 * The text messages, as Twilio's Messages resource: created, listed by recipient, newest first. There is no
 * idempotency key: the same request twice is two messages. Refused as Twilio refuses, also by the numbers of
 * its test credentials (https://www.twilio.com/docs/iam/test-credentials#test-sms-messages).
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ok, type ProviderResponse } from '../calls.ts';
import type { SandboxClock } from '../clock.ts';
import type { Journal } from '../journal.ts';
import type { Ledger } from '../ledger.ts';
import { failure, unsubscribed } from './errors.ts';
import { segmentsOf } from './segments.ts';

const textSchema = z.object({
  sid: z.string(),
  to: z.string(),
  from: z.string().nullable(),
  messaging_service_sid: z.string().nullable(),
  body: z.string(),
  at: z.string(),
});
/** One text message. */
export type Text = Readonly<z.output<typeof textSchema>>;

export interface Texts {
  /** `refused`: the recipient is unsubscribed. */
  create(account: string, form: URLSearchParams, refused: boolean): ProviderResponse;
  list(account: string, query: URLSearchParams): ProviderResponse;
  /** Oldest first; with `to`, only those to that number. */
  sent(to?: string): readonly Text[];
  clear(): void;
}

const MAX_TEXTS = 10_000;
const MAX_BODY = 1_600;
const DEFAULT_PAGE = 50;
const MAX_PAGE = 1_000;
const E164 = /^\+[1-9]\d{6,14}$/;

export function createTexts(journal: Journal, clock: SandboxClock, ledger: Ledger): Texts {
  const rows = journal.table({ name: 'texts', row: textSchema, limit: MAX_TEXTS });
  return {
    create: (account, form, refused) => {
      const refusal = refused ? unsubscribed() : refusalOf(form);
      if (refusal !== null) return refusal;
      const text: Text = {
        sid: `SM${randomUUID().replaceAll('-', '')}`,
        to: form.get('To') ?? '',
        from: form.get('From'),
        messaging_service_sid: form.get('MessagingServiceSid'),
        body: form.get('Body') ?? '',
        at: new Date(clock.now()).toISOString(),
      };
      rows.set(text.sid, text);
      ledger.record({ key: text.sid, operation: 'send', order_id: null });
      return ok(show(account, text, 'queued'), 201);
    },
    list: (account, query) => {
      const limit = Math.min(Number(query.get('PageSize')) || DEFAULT_PAGE, MAX_PAGE);
      const to = query.get('To');
      const found = [...rows.values()].filter((text) => to === null || text.to === to);
      const messages = found
        .slice(-limit)
        .toReversed()
        .map((text) => show(account, text, 'delivered'));
      return ok({ messages, page: 0, page_size: limit, next_page_uri: null });
    },
    sent: (to) => [...rows.values()].filter((text) => to === undefined || text.to === to),
    clear: () => rows.clear(),
  };
}

/** By the sender, and by the recipient. */
const MAGIC_FROM: Readonly<Record<string, readonly [code: number, message: string]>> = {
  '+15005550001': [21212, "The 'From' number is not a valid phone number"],
  '+15005550007': [21606, "The 'From' phone number is not a valid, message-capable Twilio number"],
  '+15005550008': [21611, "This 'From' number has exceeded its maximum number of queued messages"],
};
const MAGIC_TO: Readonly<Record<string, readonly [code: number, message: string]>> = {
  '+15005550001': [21211, "The 'To' number is not a valid phone number"],
  '+15005550002': [21612, "The 'To' phone number is not currently reachable by SMS"],
  '+15005550003': [21408, "Permission to send an SMS has not been enabled for the 'To' region"],
  '+15005550004': [21610, 'Attempt to send to unsubscribed recipient'],
  '+15005550009': [21614, "The 'To' number is not a valid mobile number"],
};

function refusalOf(form: URLSearchParams): ProviderResponse | null {
  const [to, from, body] = ['To', 'From', 'Body'].map((name) => form.get(name) ?? '');
  const service = form.get('MessagingServiceSid') ?? '';
  const refuse = (code: number, message: string) => failure(400, code, message);
  if (!to) return refuse(21604, "A 'To' phone number is required");
  if (!from && !service) return refuse(21603, "A 'From' phone number is required");
  if (!body) return refuse(21602, 'Message body is required');
  const magic = MAGIC_FROM[from ?? ''] ?? MAGIC_TO[to];
  if (magic !== undefined) return refuse(...magic);
  if (!E164.test(to)) return refuse(21211, `The 'To' number ${to} is not a valid phone number`);
  if (to === from) return refuse(21266, "'To' and 'From' number cannot be the same");
  return body.length > MAX_BODY ? refuse(21617, 'The message body exceeds 1600 characters') : null;
}

function show(account: string, text: Text, status: 'queued' | 'delivered'): object {
  const { at, from, body, ...rest } = text;
  const time = new Date(at).toUTCString().replace('GMT', '+0000');
  return {
    ...rest,
    body,
    account_sid: account,
    from,
    status,
    direction: 'outbound-api',
    num_segments: String(segmentsOf(body)),
    num_media: '0',
    date_created: time,
    date_updated: time,
    // Known once it left the queue.
    date_sent: status === 'queued' ? null : time,
    error_code: null,
    error_message: null,
    price: null,
    price_unit: 'USD',
    api_version: '2010-04-01',
    uri: `/2010-04-01/Accounts/${account}/Messages/${text.sid}.json`,
  };
}
