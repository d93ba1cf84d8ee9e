/**
 * Outlives a stack that is killed and stops what it leaves. It only waits on its input, which ends
 * when the stack does, however it does.
 */
import { once } from 'node:events';
import { createHome } from './home.ts';
import { stopLeftovers } from './leftovers.ts';

const path = process.argv[2];
if (path === undefined) throw new Error('usage: warden.ts <home>');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdin.resume();
await once(process.stdin, 'close');
await stopLeftovers(createHome(path));
