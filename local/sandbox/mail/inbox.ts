/**
 * Received mail. A message is listed once per Message-ID; the ledger counts every arrival, so a
 * repeat is visible. Only the newest messages are kept.
 */
import PostalMime from 'postal-mime';
import { z } from 'zod';
import type { SandboxClock } from '../clock.ts';
import type { Journal } from '../journal.ts';
import type { Ledger } from '../ledger.ts';

const mailSchema = z.object({
  to: z.string(),
  subject: z.string(),
  text: z.string(),
  html: z.string().optional(),
  /** Of the Content-Language. */
  language: z.string().optional(),
  /** With its angle brackets, as RFC 5322 writes it. */
  message_id: z.string(),
  at: z.string(),
});
export type Mail = Readonly<z.output<typeof mailSchema>>;

export interface Inbox {
  receive(message: Arrival): void;
  /** Oldest first; with `to`, only mail to that address. */
  mails(to?: string): readonly Mail[];
  /** The mails about an order, oldest first. */
  mailsOf(orderId: string): readonly Mail[];
  find(messageId: string): Mail | undefined;
  clear(): void;
}

interface Arrival {
  readonly recipients: readonly string[];
  readonly mime: ParsedMime;
}

export interface ParsedMime {
  readonly messageId: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  readonly language: string | null;
}

const MAX_MAILS = 10_000;
const ORDER = /^<?(ord_[0-9a-z]+)\./;

export function createInbox(journal: Journal, clock: SandboxClock, ledger: Ledger): Inbox {
  const rows = journal.table({ name: 'mails', row: mailSchema, limit: MAX_MAILS });
  return {
    receive: ({ recipients, mime }) => {
      const { messageId, subject, text, html, language } = mime;
      const key = messageId.replace(/^<|@.*$|>$/g, '');
      journal.transact(() => {
        ledger.record({ key, operation: 'send', order_id: orderOf(key) });
        if (rows.get(messageId) !== undefined) return;
        const at = new Date(clock.now()).toISOString();
        const mail = { to: recipients.join(', '), subject, text, message_id: messageId, at };
        rows.set(messageId, {
          ...mail,
          ...(html !== null && { html }),
          ...(language !== null && { language }),
        });
      });
    },
    mails: (to) => {
      const all = [...rows.values()];
      return to === undefined ? all : all.filter((mail) => isTo(mail, to));
    },
    mailsOf: (orderId) => {
      const found: Mail[] = [];
      for (const mail of rows.values()) if (orderOf(mail.message_id) === orderId) found.push(mail);
      return found;
    },
    find: (messageId) => rows.get(messageId),
    clear: () => rows.clear(),
  };
}

/** Reads a raw message. One without a Message-ID gets `fallbackId`, as a mail server does. */
export async function parseMime(raw: Buffer, fallbackId: string): Promise<ParsedMime> {
  const email = await PostalMime.parse(raw);
  return {
    messageId: email.messageId ?? fallbackId,
    subject: email.subject ?? '',
    text: email.text ?? '',
    html: email.html ?? null,
    language: email.headers.find(({ key }) => key === 'content-language')?.value ?? null,
  };
}

/** The order that a Message-ID names; null for a mail about none. */
function orderOf(messageId: string): string | null {
  return ORDER.exec(messageId)?.[1] ?? null;
}

function isTo(mail: Mail, address: string): boolean {
  return mail.to.toLowerCase().split(', ').includes(address.toLowerCase());
}
