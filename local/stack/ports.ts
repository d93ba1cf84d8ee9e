/** The ports of the stack, all on loopback. */
import { createConnection, createServer } from 'node:net';

const HIGHEST_PORT = 65_535;
const TRIES = 200;
const CONNECT_TIMEOUT_MS = 500;
const IN_USE = 'EADDRINUSE';

export interface PortRequest {
  /** The environment variable that chooses the port. */
  readonly variable: string;
  readonly defaultPort: number;
  /** The value of that variable. */
  readonly requested: number | undefined;
}

export interface ChosenPort {
  readonly variable: string;
  readonly port: number;
  /** Set when the default port is in use. */
  readonly insteadOf?: number;
}

/**
 * Chooses a port for each request. If a default port is in use, the next free one is chosen; if a
 * requested port is in use, an error names its variable.
 */
export async function choosePorts(
  requests: readonly PortRequest[],
): Promise<readonly ChosenPort[]> {
  const given = new Map<number, string>();
  const chosen: ChosenPort[] = [];
  for (const request of requests) {
    if (request.requested === undefined) continue;
    const holder = given.get(request.requested);
    if (holder !== undefined) {
      throw new Error(`${request.variable} and ${holder} both request port ${request.requested}.`);
    }
    const fault = await listenFault(request.requested);
    if (fault !== null) throw new Error(explainFault(request, fault));
    given.set(request.requested, request.variable);
    chosen.push({ variable: request.variable, port: request.requested });
  }
  for (const request of requests) {
    if (request.requested !== undefined) continue;
    const port = await nextFree(request, given);
    given.set(port, request.variable);
    const moved = port !== request.defaultPort;
    chosen.push({
      variable: request.variable,
      port,
      ...(moved && { insteadOf: request.defaultPort }),
    });
  }
  return chosen;
}

/** A free port chosen by the system. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  });
}

async function nextFree(request: PortRequest, given: ReadonlyMap<number, string>): Promise<number> {
  const last = Math.min(request.defaultPort + TRIES, HIGHEST_PORT);
  for (let port = request.defaultPort; port <= last; port += 1) {
    if (!given.has(port) && (await isFree(port))) return port;
  }
  throw new Error(
    `No port from ${request.defaultPort} to ${last} is free: set ${request.variable}.`,
  );
}

/** Free: no connection is accepted there, and we can listen there. */
export async function isFree(port: number): Promise<boolean> {
  return (await listenFault(port)) === null;
}

/** What to do about a requested port, by the system's code for why it cannot be had. */
export function explainFault(
  { variable, requested }: Pick<PortRequest, 'variable' | 'requested'>,
  code: string,
): string {
  const port = `Port ${requested}, requested by ${variable},`;
  if (code === IN_USE) return `${port} is in use by another program.`;
  const reason = code === 'EACCES' ? 'ports below 1024 may need privileges' : code;
  return `${port} cannot be listened on (${reason}): set ${variable} to another.`;
}

/** The code of the system's error; null when the port is free. */
async function listenFault(port: number): Promise<string | null> {
  if (await acceptsConnections(port)) return IN_USE;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(null));
    });
  });
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1', timeout: CONNECT_TIMEOUT_MS });
    const settle = (isAccepted: boolean): void => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}
