/**
 * Stops what a killed stack leaves; see launchReaper. Its input ends when the stack does. A stack
 * that has the home by then cleans up itself.
 */
import { once } from 'node:events';
import { createHome } from './home.ts';
import { killStartedFor, runningStack, stopLeftovers } from './leftovers.ts';

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: reaper.ts <home>');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdin.resume();
await once(process.stdin, 'close');
const home = createHome(path);
if (runningStack(home) === null) {
  await stopLeftovers(home);
  killStartedFor(home);
}
