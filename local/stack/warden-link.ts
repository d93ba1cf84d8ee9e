/** Starts the warden: see warden.ts. */
import { spawn } from 'node:child_process';
import { ended, nodeCommand } from './commands.ts';
import type { Home } from './home.ts';

export interface WardenLink {
  /** Lets go: the warden looks for leftovers, finds none, and ends. */
  release(): Promise<void>;
}

export function launchWarden(home: Home): WardenLink {
  const command = nodeCommand('local/stack/warden.ts', [home.path]);
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
      child.stdin.end();
      await ended(child);
    },
  };
}
