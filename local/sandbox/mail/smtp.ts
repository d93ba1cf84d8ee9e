/** The SMTP server (RFC 5321), without authentication or TLS: it listens on loopback only. */
import type { Socket } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { listen } from '../listen.ts';
import { MAX_MAIL_BYTES, createReceiver, reply } from './receiver.ts';
import type { MailState, Outcome } from './receiver.ts';

export interface SmtpServer {
  listen(port: number): Promise<number>;
  close(): Promise<void>;
}

type Finish = (error?: Error | null) => void;

const MAX_CLIENTS = 200;

/** The first message waits for `state`: the server may listen before the state is read. */
export function createSmtpServer(state: () => Promise<MailState>): SmtpServer {
  const sockets = new Map<number, Socket>();
  const receiver = createReceiver({
    state,
    cut: (session) => sockets.get(session.remotePort)?.destroy(),
  });
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    hideSTARTTLS: true,
    disableReverseLookup: true,
    maxClients: MAX_CLIENTS,
    size: MAX_MAIL_BYTES,
    onMailFrom: (_address, session, finish) => finishLater(finish, receiver.begin(session)),
    onRcptTo: (_address, session, finish) => finishLater(finish, receiver.address(session)),
    onData: (stream, session, finish) => finishLater(finish, receiver.take(stream, session)),
    onClose: receiver.end,
  });
  server.server.on('connection', (socket: Socket) => {
    const port = socket.remotePort ?? 0;
    socket.setNoDelay(true);
    sockets.set(port, socket);
    socket.once('close', () => sockets.delete(port));
  });
  // A client that disconnects in the middle of a message is not the sandbox's error.
  server.on('error', () => undefined);
  return {
    listen: (port) => listen(server.server, port),
    close: async () => {
      for (const socket of sockets.values()) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function finishLater(finish: Finish, outcome: Promise<Outcome>): void {
  outcome.then(
    (known) => finishWith(finish, known),
    () => finishWith(finish, reply(451, 'Local error')),
  );
}

function finishWith(finish: Finish, outcome: Outcome): void {
  if (outcome !== 'silent') finish(outcome === 'ok' ? null : outcome);
}
