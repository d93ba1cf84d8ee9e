/**
 * A TCP proxy on loopback between the app and one of its servers, which injects faults. They also
 * apply to connections that are already open.
 */
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createNetworkFaults } from './network-fault.ts';
import type { NetworkFault, NetworkFaultKind, NetworkFaults } from './network-fault.ts';
import { openPipe } from './tcp-connection.ts';

export interface TcpProxy {
  readonly port: number;
  readonly openConnections: number;
  /** Adds a fault to those in force; `clearFaults` ends them all. */
  inject(fault: NetworkFault): void;
  /** Resets every connection now. Returns how many there were. */
  cutNow(): number;
  /** Ends every fault. Half-open connections are reset: bytes are missing in them. */
  clearFaults(): void;
  /** How often each fault fired since the start; `cut` counts connections reset by `cutNow`. */
  counts(): Readonly<Record<NetworkFaultKind | 'cut', number>>;
  /** Resets open connections and stops listening. */
  close(): Promise<void>;
}

export interface TcpProxyOptions {
  readonly target: { readonly port: number; readonly host?: string };
  /** Where to listen. Default: a free port. */
  readonly port?: number;
}

/** The server may still work on what was delivered with a cut for so long. */
const LINGER_MS = 10_000;
const MAX_CONNECTIONS = 1_000;
const LOOPBACK = '127.0.0.1';

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  hasHole: boolean;
}

interface State {
  readonly faults: NetworkFaults;
  readonly connections: Set<Connection>;
  /** Connections to servers that still work on what a cut delivered. */
  readonly lingering: Set<Socket>;
  cut: number;
}

/** Listens at once. Rejects when the port is in use. */
export async function createTcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const state: State = {
    faults: createNetworkFaults(),
    connections: new Set(),
    lingering: new Set(),
    cut: 0,
  };
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    accept(state, client, options.target);
  });
  listener.maxConnections = MAX_CONNECTIONS;
  const port = await listen(listener, options.port ?? 0);
  return {
    port,
    get openConnections() {
      return state.connections.size;
    },
    inject: (fault) => {
      state.faults.add(fault);
      if (fault.kind === 'refuse') resetAll(state);
    },
    cutNow: () => {
      const cut = resetAll(state);
      state.cut += cut;
      return cut;
    },
    clearFaults: () => {
      state.faults.clear();
      for (const connection of state.connections) if (connection.hasHole) reset(connection);
    },
    counts: () => ({ ...state.faults.fired, cut: state.cut }),
    close: async () => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      resetAll(state);
      for (const server of state.lingering) server.destroy();
      await closed;
    },
  };
}

function listen(listener: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, LOOPBACK, () => {
      const address = listener.address();
      if (address === null || typeof address === 'string') reject(new Error('no port'));
      else resolve(address.port);
    });
  });
}

function accept(state: State, client: Socket, target: TcpProxyOptions['target']): void {
  client.on('error', () => undefined);
  if (state.faults.isRefusing) {
    state.faults.countRefusal();
    resetSocket(client);
    return;
  }
  const { port, host = LOOPBACK } = target;
  const server = connect({ port, host, allowHalfOpen: true, noDelay: true });
  client.setNoDelay(true);
  const connection: Connection = { client, server, hasHole: false };
  state.connections.add(connection);
  // A server that is unreachable or dies is a connection reset for its client.
  server.on('error', () => resetSocket(client));
  client.once('close', (hadError) => {
    state.connections.delete(connection);
    if (hadError) resetSocket(server);
    else if (!state.lingering.has(server)) server.destroy();
  });
  openPipes(state, connection);
}

function openPipes(state: State, connection: Connection): void {
  const { client, server } = connection;
  const onSwallowed = (): void => {
    connection.hasHole = true;
  };
  const { decide } = state.faults;
  openPipe({
    from: client,
    to: server,
    direction: 'to_server',
    decide,
    onSwallowed,
    onCut: () => {
      linger(state, server);
      resetSocket(client);
    },
  });
  openPipe({
    from: server,
    to: client,
    direction: 'to_client',
    decide,
    onSwallowed,
    onCut: () => reset(connection),
  });
}

/** The server gets the delivered bytes and the end of the stream, and time to work on them. */
function linger({ lingering }: State, server: Socket): void {
  lingering.add(server);
  const timer = setTimeout(() => server.destroy(), LINGER_MS);
  timer.unref();
  server.resume();
  server.once('close', () => {
    clearTimeout(timer);
    lingering.delete(server);
  });
}

function resetAll({ connections }: State): number {
  const open = connections.size;
  for (const connection of connections) reset(connection);
  return open;
}

function reset({ client, server }: Connection): void {
  resetSocket(client);
  resetSocket(server);
}

/**
 * Sends RST. A socket that is just sending its end cannot be reset: Node would lose its handle and
 * spin forever when the process ends.
 */
function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
