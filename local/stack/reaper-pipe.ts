/** Starts the warden: see warden.ts. */
import { spawn } from 'node:child_process';
import { ended, nodeCommand } from './commands.ts';
import type { Home } from './home.ts';

export interface ReaperPipe {
  /** Lets go: the warden looks for leftovers, finds none, and ends. */
  release(): Promise<void>;
}

/** It has nothing to stop by then; a machine under load starts it slowly. */
const RELEASE_TIMEOUT_MS = 20_000;

export function launchReaper(home: Home): ReaperPipe {
  const command = nodeCommand('local/stack/reaper.ts', [home.path]);
  const child = spawn(command.file, command.args, {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...(command.cwd !== undefined && { cwd: command.cwd }),
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  return {
    release: async () => {
      // Nothing else may be left that keeps this process alive until the warden has ended.
      child.ref();
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), RELEASE_TIMEOUT_MS);
      await ended(child);
      clearTimeout(timer);
    },
  };
}
