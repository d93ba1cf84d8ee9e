/** Which ports the stack listens on, all on loopback. */
import { createConnection, createServer } from 'node:net';

const HIGHEST_PORT = 65_535;
const TRIES = 200;
const CONNECT_TIMEOUT_MS = 500;

export interface PortWish {
  /** The environment variable a person sets to choose the port. */
  readonly variable: string;
  readonly defaultPort: number;
  /** What was asked for, if anything. */
  readonly asked: number | undefined;
}

export interface ChosenPort {
  readonly variable: string;
  readonly port: number;
  /** Set when the default was taken by someone else. */
  readonly insteadOf?: number;
}

/**
 * Gives each wish its port. A taken default becomes the next free one; a taken port that was asked
 * for throws a sentence naming its variable.
 */
export async function choosePorts(wishes: readonly PortWish[]): Promise<readonly ChosenPort[]> {
  const given = new Map<number, string>();
  const chosen: ChosenPort[] = [];
  for (const wish of wishes) {
    if (wish.asked === undefined) continue;
    const holder = given.get(wish.asked);
    if (holder !== undefined) {
      throw new Error(`${wish.variable} and ${holder} both ask for port ${wish.asked}.`);
    }
    if (!(await isFree(wish.asked))) {
      throw new Error(
        `Port ${wish.asked}, asked for by ${wish.variable}, is taken by another program.`,
      );
    }
    given.set(wish.asked, wish.variable);
    chosen.push({ variable: wish.variable, port: wish.asked });
  }
  for (const wish of wishes) {
    if (wish.asked !== undefined) continue;
    const port = await nextFree(wish, given);
    given.set(port, wish.variable);
    const moved = port !== wish.defaultPort;
    chosen.push({ variable: wish.variable, port, ...(moved && { insteadOf: wish.defaultPort }) });
  }
  return chosen;
}

/** Some free port, as the system gives it. */
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

async function nextFree(wish: PortWish, given: ReadonlyMap<number, string>): Promise<number> {
  const last = Math.min(wish.defaultPort + TRIES, HIGHEST_PORT);
  for (let port = wish.defaultPort; port <= last; port += 1) {
    if (!given.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`No port from ${wish.defaultPort} to ${last} is free: set ${wish.variable}.`);
}

/** Free: nobody answers there, and we can listen there. */
export async function isFree(port: number): Promise<boolean> {
  if (await answers(port)) return false;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1', timeout: CONNECT_TIMEOUT_MS });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}
