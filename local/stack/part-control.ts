/** Stops and starts one part of a running stack, which does not restart it while its marker file exists. */
import { rmSync, writeFileSync } from 'node:fs';
import type { Addresses } from './addresses.ts';
import { becomesTrue } from './commands.ts';
import { PRIVATE_FILE, type Home, type PartName } from './home.ts';
import { runningPart, stopPid } from './leftovers.ts';

const START_TIMEOUT_MS = 60_000;

/** False for a server that the environment names and the stack does not run. */
export function isRunHere(part: PartName, { ports }: Addresses): boolean {
  if (part === 'postgres') return ports.POSTGRES_PORT !== undefined;
  return part !== 'temporal' || ports.TEMPORAL_PORT !== undefined;
}

/** Resolves when the process has ended. */
export async function stopPart(home: Home, part: PartName): Promise<void> {
  writeFileSync(home.stoppedFile(part), '', { mode: PRIVATE_FILE });
  const pid = runningPart(home, part);
  if (pid !== null) await stopPid(pid, part);
}

/** Waits for the process, not until it is ready. False: it did not start in time. */
export async function startPart(home: Home, part: PartName): Promise<boolean> {
  rmSync(home.stoppedFile(part), { force: true });
  return becomesTrue(async () => runningPart(home, part) !== null, {
    timeoutMs: START_TIMEOUT_MS,
    everyMs: 100,
  });
}
