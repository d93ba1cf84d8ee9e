/**
 * The SMTP door (RFC 5321), without authentication or TLS: loopback only. Faults strike once per
 * message, at MAIL FROM, because a client may reuse its connection for many messages.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { SMTPServer } from 'smtp-server';
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import type { Faults, Strike } from '../faults.ts';
import { parseMime } from './inbox.ts';
import type { Inbox } from './inbox.ts';

export interface SmtpDoor {
  readonly port: number;
  close(): Promise<void>;
}

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
}

/** Awaited by the first message: the door may open before the books are read. */
export type Books = Promise<{ readonly faults: Faults; readonly inbox: Inbox }>;

type Done = (error?: Error | null) => void;

const SEND = { provider: 'mail', operation: 'send' } as const;
const MAX_MAIL_BYTES = 1_048_576;
const MAX_CLIENTS = 200;

/** Opens the door. Rejects with the system's error when the port is taken. */
export async function openSmtp(options: SmtpOptions, books: Books): Promise<SmtpDoor> {
  const sockets = new Map<number, Socket>();
  const strikes = new Map<string, Strike>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    hideSTARTTLS: true,
    disableReverseLookup: true,
    maxClients: MAX_CLIENTS,
    size: MAX_MAIL_BYTES,
    onMailFrom: (_address, session, done) => {
      answer(done, () => greet(session));
    },
    onRcptTo: (_address, session, done) => {
      done(strikes.get(session.id)?.mode === 'refuse' ? reply(550, 'No such mailbox here') : null);
    },
    onData: (stream, session, done) => {
      answer(done, () => take(stream, session));
    },
    onClose: (session) => {
      strikes.delete(session.id);
    },
  });

  async function greet(session: SMTPServerSession): Promise<Outcome> {
    const { faults } = await books;
    const strike = faults.strike(SEND);
    if (strike === null) strikes.delete(session.id);
    else strikes.set(session.id, strike);
    switch (strike?.mode) {
      case 'down':
        return cut(session);
      case 'hang':
        return 'silent';
      case 'fail_before':
        return reply(451, 'Try again later');
      default:
        if (strike !== null && strike.waitMs > 0) await wait(strike.waitMs);
        return 'ok';
    }
  }

  async function take(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<Outcome> {
    const raw = await readAll(stream);
    if (stream.sizeExceeded) return reply(552, 'Message is too large');
    const { inbox } = await books;
    const mime = await parseMime(raw, `<${randomUUID()}@sandbox.invalid>`);
    inbox.receive({ recipients: session.envelope.rcptTo.map((each) => each.address), mime });
    return strikes.get(session.id)?.mode === 'answer_lost' ? cut(session) : 'ok';
  }

  function cut(session: SMTPServerSession): Outcome {
    sockets.get(session.remotePort)?.destroy();
    return 'silent';
  }

  await listen(server, options);
  server.server.on('connection', (socket: Socket) => {
    const port = socket.remotePort ?? 0;
    sockets.set(port, socket);
    socket.once('close', () => sockets.delete(port));
  });
  // A client that goes away mid-message is the client's business.
  server.on('error', () => undefined);
  return {
    port: portOf(server),
    close: async () => {
      for (const socket of sockets.values()) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(resolve);
      });
    },
  };
}

type Outcome = 'ok' | 'silent' | Error;

function answer(done: Done, work: () => Promise<Outcome>): void {
  work().then(
    (outcome) => {
      if (outcome !== 'silent') done(outcome === 'ok' ? null : outcome);
    },
    () => done(reply(451, 'Local error')),
  );
}

function reply(responseCode: number, message: string): Error {
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

function listen(server: SMTPServer, options: SmtpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function portOf(server: SMTPServer): number {
  const address = server.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
