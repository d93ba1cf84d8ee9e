/** The parts of the running stack that a demo stops or kills. What it stopped is started at the end. */
import process from 'node:process';
import type { Addresses } from '../../local/stack/addresses.ts';
import type { Home, PartName } from '../../local/stack/home.ts';
import { runningPart } from '../../local/stack/leftovers.ts';
import { isRunHere, startPart, stopPart } from '../../local/stack/part-control.ts';

export interface Parts {
  /** Throws Unavailable for a server that the stack does not run. */
  stop(part: PartName): Promise<void>;
  start(part: PartName): Promise<void>;
  /** Kills the process; the stack restarts it. */
  kill(part: PartName): void;
  /** Starts whatever is still stopped. */
  restore(): Promise<void>;
}

/** The demo cannot run yet, or not on this stack. The message says what to do first. */
export class Unavailable extends Error {}

export function createParts(home: Home, addresses: Addresses): Parts {
  const stopped = new Set<PartName>();
  const start = async (part: PartName): Promise<void> => {
    await startPart(home, part);
    stopped.delete(part);
  };
  return {
    start,
    async stop(part) {
      if (!isRunHere(part, addresses)) {
        throw new Unavailable(
          `This demo stops ${part}, and the stack was started without its own.`,
        );
      }
      stopped.add(part);
      await stopPart(home, part);
    },
    kill(part) {
      const pid = runningPart(home, part);
      if (pid !== null) process.kill(pid, 'SIGKILL');
    },
    async restore() {
      for (const part of stopped) await start(part);
    },
  };
}
