/**
 * Stops what a killed stack leaves; see launchReaper. Its input ends when the stack does. A stack
 * that has the home by then cleans up itself. An app beside a stack has a reaper of its own.
 */
import { once } from 'node:events';
import { createHome } from './home.ts';
import { killStartedFor, runningStack, stopLeftovers } from './leftovers.ts';

const [path, only] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: reaper.ts <home> [name of the only pid file]');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdin.resume();
await once(process.stdin, 'close');
const home = createHome(path);
if (only !== undefined) {
  await stopLeftovers(home, only);
} else if (runningStack(home) === null) {
  await stopLeftovers(home);
  killStartedFor(home);
}
