/**
 * Ports for servers that tests stop, kill and start again. Below those that systems give out by
 * themselves: no other process gets one while its server is away, neither to listen on nor to call from.
 */
import { randomInt } from 'node:crypto';
import { isFree } from '../../local/stack/ports.ts';

const LOWEST = 15_000;
const ABOVE = 32_000;

/** A free one, of which this process has not had any yet. */
export async function choosePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, ABOVE);
    if (had.has(port) || !(await isFree(port))) continue;
    had.add(port);
    return port;
  }
}

const had = new Set<number>();
