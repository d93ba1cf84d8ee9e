/**
 * A process of main.ts that tests kill: started in its own group, started again when it has killed
 * itself, never left behind.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  becomesTrue,
  ended,
  hasEnded,
  killGroup,
  launch,
  nodeCommand,
} from '../../../local/stack/commands.ts';

export interface AppProcess {
  readonly url: string;
  readonly pid: number;
  /** Starts it and waits until it says it is ready. */
  start(): Promise<void>;
  /** SIGKILL, and gone when this resolves. */
  kill(): Promise<void>;
  /** Lets it kill itself at the point; from then on a fresh process takes over by itself. */
  arm(failpoint: string): void;
  disarm(): void;
  /** What the process wrote before it killed itself; null while it has not. */
  mark(): string | null;
  /** Kills it for good. */
  end(): Promise<void>;
}

export interface AppOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly port: number;
  readonly name: string;
  /** Where its log, and what arms it, lie. */
  readonly dir: string;
}

const READY_WITHIN_MS = 90_000;

export function createAppProcess({ env, port, name, dir }: AppOptions): AppProcess {
  const url = `http://127.0.0.1:${port}`;
  const [logFile, armedFile, markFile] = ['log', 'armed', 'mark'].map((each) =>
    join(dir, `${name}.${each}`),
  );
  if (!logFile || !armedFile || !markFile) throw new Error('a file has no name');
  const command = nodeCommand('main.ts', [], {
    ...env,
    PORT: String(port),
    HOLDFAST_FAILPOINT: `@${armedFile}`,
    HOLDFAST_FAILPOINT_MARK: markFile,
  });
  let child: ChildProcess | null = null;
  let stopping = false;
  const killIt = (): void => killGroup(child?.pid, 'SIGKILL');
  process.once('exit', killIt);

  const begin = (): ChildProcess => {
    const started = launch(command, { logFile });
    child = started;
    // Only one that killed itself is replaced: any other end is a fault of its own.
    started.once('exit', () => {
      if (!stopping && child === started && existsSync(markFile) && existsSync(armedFile)) {
        rmSync(armedFile, { force: true });
        begin();
      }
    });
    return started;
  };
  const kill = async (): Promise<void> => {
    if (!child) return;
    killGroup(child.pid, 'SIGKILL');
    await ended(child);
  };
  return {
    url,
    get pid() {
      if (child?.pid === undefined) throw new Error(`${name} does not run`);
      return child.pid;
    },
    async start() {
      const started = begin();
      const limits = { timeoutMs: READY_WITHIN_MS, everyMs: 50, alive: () => !hasEnded(started) };
      if (await becomesTrue(() => isReady(url), limits)) return;
      throw new Error(`${name} is not ready: ${await readFile(logFile, 'utf8')}`);
    },
    kill,
    arm(failpoint) {
      rmSync(markFile, { force: true });
      writeFileSync(armedFile, failpoint);
    },
    disarm: () => rmSync(armedFile, { force: true }),
    mark: () => (existsSync(markFile) ? readFileSync(markFile, 'utf8') : null),
    async end() {
      stopping = true;
      await kill();
      process.off('exit', killIt);
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    // Not listening yet.
    return false;
  }
}
