/** Homes of single runs of tests and chaos, in the stack's own. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { StackConfig } from '../../config.ts';
import { isErrno } from './commands.ts';
import { createHome, makeHome, PRIVATE_DIR, type Home } from './home.ts';
import { killStartedFor, stopLeftovers } from './leftovers.ts';

/** Creates a home for this process. Deletes those of killed runs, and stops what they left. */
export async function openRunHome(
  { HOLDFAST_HOME }: Pick<StackConfig, 'HOLDFAST_HOME'>,
  kind: 'tests' | 'chaos',
): Promise<Home> {
  const all = join(createHome(HOLDFAST_HOME).path, kind);
  mkdirSync(all, { recursive: true, mode: PRIVATE_DIR });
  for (const pid of readdirSync(all)) {
    if (isRunning(Number(pid))) continue;
    const left = createHome(join(all, pid));
    await stopLeftovers(left);
    killStartedFor(left);
    rmSync(left.path, { recursive: true, force: true });
  }
  const home = createHome(join(all, String(process.pid)));
  makeHome(home);
  return home;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}
