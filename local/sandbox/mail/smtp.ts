/** The SMTP door (RFC 5321), without authentication or TLS: it listens on loopback only. */
import type { Socket } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { MAX_MAIL_BYTES, createReceiver, reply } from './receiver.ts';
import type { Outcome, ReceiverDeps } from './receiver.ts';

export interface SmtpListener {
  readonly port: number;
  close(): Promise<void>;
}

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
}

export type Books = ReceiverDeps['books'];

type Finish = (error?: Error | null) => void;

const MAX_CLIENTS = 200;

/** Opens the door. Rejects with the system's error when the port is taken. */
export async function openSmtp(options: SmtpOptions, books: Books): Promise<SmtpListener> {
  const sockets = new Map<number, Socket>();
  const receiver = createReceiver({
    books,
    cut: (session) => sockets.get(session.remotePort)?.destroy(),
  });
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    hideSTARTTLS: true,
    disableReverseLookup: true,
    maxClients: MAX_CLIENTS,
    size: MAX_MAIL_BYTES,
    onMailFrom: (_address, session, finish) => answer(finish, receiver.begin(session)),
    onRcptTo: (_address, session, finish) => say(finish, receiver.address(session)),
    onData: (stream, session, finish) => answer(finish, receiver.take(stream, session)),
    onClose: receiver.forget,
  });
  await listen(server, options);
  server.server.on('connection', (socket: Socket) => {
    const port = socket.remotePort ?? 0;
    socket.setNoDelay(true);
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

function answer(finish: Finish, outcome: Promise<Outcome>): void {
  outcome.then(
    (known) => say(finish, known),
    () => say(finish, reply(451, 'Local error')),
  );
}

function say(finish: Finish, outcome: Outcome): void {
  if (outcome !== 'silent') finish(outcome === 'ok' ? null : outcome);
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
