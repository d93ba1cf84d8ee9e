/**
 * A TCP proxy on loopback that does harm when told to: it stands between the app and one of its
 * servers. Connections that are open when a fault begins suffer it as well.
 */
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createNetworkFaults } from './network-fault.ts';
import type { NetworkFault, NetworkFaultKind, NetworkFaults } from './network-fault.ts';
import { openLane } from './tcp-connection.ts';

export interface TcpProxy {
  readonly port: number;
  readonly openConnections: number;
  /** Adds a fault to those that hold already; `heal` ends them all. */
  harm(fault: NetworkFault): void;
  /** Resets every connection now. Gives how many there were. */
  cutNow(): number;
  /** Ends every fault. Half-open connections are reset: bytes are missing in them. */
  clearFaults(): void;
  /** How often each fault struck since the start; `cut` counts connections reset by `cutNow`. */
  counts(): Readonly<Record<NetworkFaultKind | 'cut', number>>;
  /** Resets what is open and stops listening. */
  close(): Promise<void>;
}

export interface TcpProxyOptions {
  readonly target: { readonly port: number; readonly host?: string };
  /** Where to listen; a free port when absent. */
  readonly port?: number;
}

/** What was delivered with a cut may still be worked on by the server for so long. */
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
  /** Servers that still work on what a cut delivered. */
  readonly lingering: Set<Socket>;
  cut: number;
}

/** Listens at once. Rejects when the port cannot be had. */
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
    harm: (fault) => {
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
  // A server that cannot be reached, or dies, is a connection reset for its client.
  server.on('error', () => resetSocket(client));
  client.once('close', (hadError) => {
    state.connections.delete(connection);
    if (hadError) resetSocket(server);
    else if (!state.lingering.has(server)) server.destroy();
  });
  openLanes(state, connection);
}

function openLanes(state: State, connection: Connection): void {
  const { client, server } = connection;
  const onSwallowed = (): void => {
    connection.hasHole = true;
  };
  const evaluate = state.faults.evaluate;
  openLane({
    from: client,
    to: server,
    direction: 'to_server',
    evaluate,
    onSwallowed,
    onCut: () => {
      linger(state, server);
      resetSocket(client);
    },
  });
  openLane({
    from: server,
    to: client,
    direction: 'to_client',
    evaluate,
    onSwallowed,
    onCut: () => reset(connection),
  });
}

/** The server gets what was delivered and the end of the line, and may take its time with it. */
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
 * RST. A socket that is just sending its end cannot be reset any more: Node would lose its handle,
 * and spin for ever when the process ends.
 */
function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
