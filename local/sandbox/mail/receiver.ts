/**
 * Receives one message in an SMTP session. A fault triggers once per message, at MAIL FROM, because
 * a client may use one connection for many messages.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import { orderIn, type CallLog } from '../call-log.ts';
import type { Faults, TriggeredFault } from '../faults.ts';
import { parseMime } from './inbox.ts';
import type { Inbox } from './inbox.ts';

/** An SMTP reply that rejects a command. */
class SmtpRejection extends Error {
  readonly responseCode: number;

  constructor(responseCode: number, message: string) {
    super(message);
    this.responseCode = responseCode;
  }
}

/** `silent`: a fault withholds the reply. */
export type Outcome = 'ok' | 'silent' | SmtpRejection;

export interface MailState {
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly inbox: Inbox;
}

export interface Receiver {
  /** MAIL FROM */
  begin(session: SMTPServerSession): Promise<Outcome>;
  /** RCPT TO */
  address(session: SMTPServerSession): Promise<Outcome>;
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
/** The SMTP reply to a message that was taken. */
const OK = 250;
const SEND = { provider: 'mail', operation: 'send' } as const;

export function createReceiver({ state, cut }: ReceiverDeps): Receiver {
  /** By session: the fault of its current message. */
  const triggered = new Map<string, TriggeredFault>();
  /** Logs a message that ends here; one that is let through so far is logged by `take`. */
  const logIfEnded = async (outcome: Outcome, fault: TriggeredFault | undefined) => {
    if (outcome !== 'ok') log((await state()).calls, { orderId: null, outcome, fault });
    return outcome;
  };
  return {
    begin: async (session) => {
      const { faults } = await state();
      const fault = faults.trigger(SEND) ?? undefined;
      triggered.delete(session.id);
      if (fault === undefined) return 'ok';
      if (fault.mode === 'down') cut(session);
      if (fault.mode === 'down' || fault.mode === 'hang') return logIfEnded('silent', fault);
      if (fault.mode === 'fail_before' || fault.mode === 'fail_saved') {
        return logIfEnded(reply(451, 'Try again later'), fault);
      }
      triggered.set(session.id, fault);
      if (fault.mode === 'latency') await wait(fault.waitMs);
      return logIfEnded(rejectionOf(fault, 'MAIL FROM') ?? 'ok', fault);
    },
    address: (session) => {
      const fault = triggered.get(session.id);
      const refused = fault?.mode === 'refuse' ? reply(550, 'No such mailbox here') : null;
      return logIfEnded(refused ?? rejectionOf(fault, 'RCPT TO') ?? 'ok', fault);
    },
    take: async (stream, session) => {
      const raw = await readAll(stream);
      if (stream.sizeExceeded) return reply(552, 'Message is too large');
      const fault = triggered.get(session.id);
      const rejected = rejectionOf(fault, 'DATA');
      if (rejected !== null) return logIfEnded(rejected, fault);
      const { inbox, calls } = await state();
      const mime = await parseMime(raw, `<${randomUUID()}@sandbox.invalid>`);
      inbox.receive({ recipients: session.envelope.rcptTo.map((each) => each.address), mime });
      if (fault?.mode === 'late') await wait(fault.waitMs);
      const outcome = fault?.mode === 'answer_lost' ? 'silent' : 'ok';
      log(calls, { orderId: orderIn(mime.messageId), outcome, fault });
      if (outcome === 'silent') cut(session);
      return outcome;
    },
    end: (session) => {
      triggered.delete(session.id);
    },
  };
}

function log(
  calls: CallLog,
  message: {
    readonly orderId: string | null;
    readonly outcome: Outcome;
    readonly fault: TriggeredFault | undefined;
  },
): void {
  const { orderId, outcome, fault } = message;
  const status = outcome === 'silent' ? null : outcome === 'ok' ? OK : outcome.responseCode;
  const atMs = Date.now();
  calls.record({ ...SEND, atMs, orderId, status, fault: fault?.mode ?? null, replayed: false });
}

/** The reply of a fault that rejects this command, by default MAIL FROM. */
function rejectionOf(
  fault: TriggeredFault | undefined,
  command: NonNullable<TriggeredFault['error']['command']>,
): SmtpRejection | null {
  if (fault?.mode !== 'reject' || (fault.error.command ?? 'MAIL FROM') !== command) return null;
  return reply(fault.error.status ?? 550, 'Rejected by a fault of the sandbox');
}

/** An SMTP reply that rejects a command. */
export function reply(responseCode: number, message: string): SmtpRejection {
  return new SmtpRejection(responseCode, message);
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
