/** The programs that a bench starts itself. */
import { readFileSync, rmSync } from 'node:fs';
import { hasEnded, killGroup, launch, stop, type Command } from '../../local/stack/commands.ts';

const STOP_WITHIN_MS = 30_000;

/** A child that does not outlive this process. */
export function launchLogged(command: Command, logFile: string) {
  rmSync(logFile, { force: true });
  const child = launch(command, { logFile });
  const kill = (): void => killGroup(child.pid, 'SIGTERM');
  process.once('exit', kill);
  return {
    child,
    isAlive: () => !hasEnded(child),
    lastError: () =>
      readFileSync(logFile, 'utf8')
        .match(/^.*error.*$/gim)
        ?.at(-1)
        ?.trim() ?? '',
    async stop(): Promise<void> {
      await stop(child, { signal: 'SIGTERM', timeoutMs: STOP_WITHIN_MS });
      process.off('exit', kill);
    },
  };
}
