/**
 * Receives one message in an SMTP session. A fault triggers once per message, at MAIL FROM, because
 * a client may use one connection for many messages.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import type { Faults, TriggeredFault } from '../faults.ts';
import { parseMime } from './inbox.ts';
import type { Inbox } from './inbox.ts';

/** `silent`: a fault withholds the reply. An error is the reply that rejects the command. */
export type Outcome = 'ok' | 'silent' | Error;

export interface MailState {
  readonly faults: Faults;
  readonly inbox: Inbox;
}

export interface Receiver {
  /** MAIL FROM */
  begin(session: SMTPServerSession): Promise<Outcome>;
  /** RCPT TO */
  address(session: SMTPServerSession): Outcome;
  /** DATA */
  take(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<Outcome>;
  end(session: SMTPServerSession): void;
}

export interface ReceiverDeps {
  readonly state: () => Promise<MailState>;
  /** Cuts the session's connection. */
  readonly cut: (session: SMTPServerSession) => void;
}

export const MAX_MAIL_BYTES = 1_048_576;
const SEND = { provider: 'mail', operation: 'send' } as const;

export function createReceiver({ state, cut }: ReceiverDeps): Receiver {
  /** By session: the fault of its current message. */
  const triggered = new Map<string, TriggeredFault>();
  return {
    begin: async (session) => {
      const { faults } = await state();
      const fault = faults.trigger(SEND);
      triggered.delete(session.id);
      if (fault === null) return 'ok';
      if (fault.mode === 'hang') return 'silent';
      if (fault.mode === 'fail_before') return reply(451, 'Try again later');
      if (fault.mode === 'down') {
        cut(session);
        return 'silent';
      }
      triggered.set(session.id, fault);
      if (fault.waitMs > 0) await wait(fault.waitMs);
      return rejectionOf(fault, 'MAIL FROM') ?? 'ok';
    },
    address: (session) => {
      const fault = triggered.get(session.id);
      if (fault?.mode === 'refuse') return reply(550, 'No such mailbox here');
      return rejectionOf(fault, 'RCPT TO') ?? 'ok';
    },
    take: async (stream, session) => {
      const raw = await readAll(stream);
      if (stream.sizeExceeded) return reply(552, 'Message is too large');
      const fault = triggered.get(session.id);
      const rejected = rejectionOf(fault, 'DATA');
      if (rejected !== null) return rejected;
      const { inbox } = await state();
      const mime = await parseMime(raw, `<${randomUUID()}@sandbox.invalid>`);
      inbox.receive({ recipients: session.envelope.rcptTo.map((each) => each.address), mime });
      if (fault?.mode !== 'answer_lost') return 'ok';
      cut(session);
      return 'silent';
    },
    end: (session) => {
      triggered.delete(session.id);
    },
  };
}

/** The reply of a fault that rejects this command, by default MAIL FROM. */
function rejectionOf(
  fault: TriggeredFault | undefined,
  command: NonNullable<TriggeredFault['error']['command']>,
): Error | null {
  if (fault?.mode !== 'reject' || (fault.error.command ?? 'MAIL FROM') !== command) return null;
  return reply(fault.error.status ?? 550, 'Rejected by a fault of the sandbox');
}

/** An SMTP reply that rejects a command. */
export function reply(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** Reads the message and keeps at most the allowed size; the rest is discarded. */
async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size <= MAX_MAIL_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
