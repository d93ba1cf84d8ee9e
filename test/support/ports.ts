/**
 * Ports for servers that tests stop, kill and start again. Below those that systems give out by
 * themselves: nobody else gets one while its server is away, neither to listen on nor to call from.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const LOWEST = 15_000;
const ABOVE = 32_000;

/** A free one, of which this process has not had any yet. */
export async function keptPort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, ABOVE);
    if (had.has(port) || !(await isFree(port))) continue;
    had.add(port);
    return port;
  }
}

const had = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
