/**
 * One message's way through an SMTP session. Faults strike once per message, at MAIL FROM, because
 * a client may use one connection for many messages.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import type { Faults, Strike } from '../faults.ts';
import { parseMime } from './inbox.ts';
import type { Inbox } from './inbox.ts';

/** `silent`: the client gets no answer, because a fault says so. An error is the refusal to send. */
export type Outcome = 'ok' | 'silent' | Error;

export interface Receiver {
  /** MAIL FROM */
  begin(session: SMTPServerSession): Promise<Outcome>;
  /** RCPT TO */
  address(session: SMTPServerSession): Outcome;
  /** DATA */
  take(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<Outcome>;
  forget(session: SMTPServerSession): void;
}

export interface ReceiverDeps {
  /** Awaited by the first message: the door may open before the books are read. */
  readonly books: Promise<{ readonly faults: Faults; readonly inbox: Inbox }>;
  readonly cut: (session: SMTPServerSession) => void;
}

export const MAX_MAIL_BYTES = 1_048_576;
const SEND = { provider: 'mail', operation: 'send' } as const;

export function createReceiver({ books, cut }: ReceiverDeps): Receiver {
  /** By session: what strikes its current message. */
  const strikes = new Map<string, Strike>();
  return {
    begin: async (session) => {
      const { faults } = await books;
      const strike = faults.strike(SEND);
      strikes.delete(session.id);
      if (strike === null) return 'ok';
      if (strike.mode === 'hang') return 'silent';
      if (strike.mode === 'fail_before') return reply(451, 'Try again later');
      if (strike.mode === 'down') {
        cut(session);
        return 'silent';
      }
      strikes.set(session.id, strike);
      if (strike.waitMs > 0) await wait(strike.waitMs);
      return 'ok';
    },
    address: (session) =>
      strikes.get(session.id)?.mode === 'refuse' ? reply(550, 'No such mailbox here') : 'ok',
    take: async (stream, session) => {
      const raw = await readAll(stream);
      if (stream.sizeExceeded) return reply(552, 'Message is too large');
      const { inbox } = await books;
      const mime = await parseMime(raw, `<${randomUUID()}@sandbox.invalid>`);
      inbox.receive({ recipients: session.envelope.rcptTo.map((each) => each.address), mime });
      if (strikes.get(session.id)?.mode !== 'answer_lost') return 'ok';
      cut(session);
      return 'silent';
    },
    forget: (session) => {
      strikes.delete(session.id);
    },
  };
}

/** A refusal with its SMTP reply code. */
export function reply(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** Reads the message and keeps at most the allowed size; the rest is drained unseen. */
async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size <= MAX_MAIL_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
