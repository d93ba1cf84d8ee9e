/**
 * A process of main.ts for tests: started in a process group of its own, stopped or killed by the test,
 * started again when it has killed itself at a failpoint, never left behind.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { environment } from '../../config.ts';
import { LOCAL_SECRETS } from '../../config/production.ts';
import { withoutTemporal } from '../../config/temporal.ts';
import {
  becomesTrue,
  ended,
  hasEnded,
  killGroup,
  launch,
  nodeCommand,
  stop,
} from '../../local/stack/commands.ts';
import { createHome } from '../../local/stack/home.ts';
import { tail } from '../../local/stack/output.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { ENCRYPTION_KEYS } from './app-config.ts';
import { FAILPOINT_PROGRAM } from './programs.ts';
import { choosePort } from './ports.ts';
import { makeDir, serverLog } from './run-files.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface AppProcess {
  readonly url: string;
  readonly pid: number;
  readonly logFile: string;
  /** Starts it and waits until it is ready. Throws with its last log lines when it does not get there. */
  start(): Promise<void>;
  /** Sends a signal; resolves at once. */
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code once it has ended; null when a signal ended it. */
  ended(): Promise<number | null>;
  /** SIGTERM, and SIGKILL when it has not stopped in 25 s. */
  stop(): Promise<void>;
  /** SIGKILL, and gone when this resolves. */
  kill(): Promise<void>;
  /** Lets it kill itself at the failpoint; a fresh process then takes over. */
  arm(failpoint: string): void;
  disarm(): void;
  /** What the process wrote before it killed itself; null while it has not. */
  mark(): string | null;
}

const READY_WITHIN_MS = 90_000;
const PROBE_TIMEOUT_MS = 2_000;

/** One that is not started yet. `env` on top of this process's environment. */
export async function createAppProcess(options: {
  readonly name: string;
  readonly env: Env;
  readonly port?: number;
}): Promise<AppProcess> {
  const { name, env } = options;
  const port = options.port ?? (await choosePort());
  const url = `http://127.0.0.1:${port}`;
  const logFile = serverLog(`${name}-${port}`);
  const dir = makeDir(name);
  const [armedFile, markFile] = [join(dir, 'armed'), join(dir, 'mark')];
  const home = createHome(inject('runDir'));
  const pidFile = join(home.run, `${name}-${port}.pid`);
  // Named there, so that the run's reaper finds it when this process is killed.
  const failpoint = ['--failpoint', `@${armedFile}`, '--failpoint-mark', markFile];
  const program = nodeCommand(FAILPOINT_PROGRAM, ['--home', home.path, ...failpoint], {
    ...withoutTemporal(environment()),
    WORKFLOW_BUNDLE: inject('workflowBundle'),
    LOG_LEVEL: 'warn',
    ...env,
    PORT: String(port),
  });
  const command = { ...program, args: shortLived(program.args) };
  let child: ChildProcess | null = null;
  let stopping = false;
  const killIt = (): void => killGroup(child?.pid, 'SIGKILL');

  const begin = (): ChildProcess => {
    const started = launch(command, { logFile });
    child = started;
    if (started.pid !== undefined) writeFileSync(pidFile, String(started.pid));
    // Only a process that killed itself is replaced: any other exit is a failure.
    started.once('exit', () => {
      if (!stopping && child === started && existsSync(markFile) && existsSync(armedFile)) {
        rmSync(armedFile, { force: true });
        begin();
      }
    });
    return started;
  };
  const running = (): ChildProcess => {
    if (child === null) throw new Error(`${name} does not run`);
    return child;
  };
  const finish = async (signal: NodeJS.Signals): Promise<void> => {
    stopping = true;
    if (child) await stop(child, { signal, timeoutMs: 25_000 });
    process.off('exit', killIt);
    rmSync(pidFile, { force: true });
  };
  return {
    url,
    logFile,
    get pid() {
      return running().pid ?? 0;
    },
    async start() {
      stopping = false;
      process.once('exit', killIt);
      const started = begin();
      const limits = { timeoutMs: READY_WITHIN_MS, everyMs: 50, alive: () => !hasEnded(started) };
      if (await becomesTrue(() => isReady(url), limits)) return;
      throw new Error(`${name} is not ready. Its last lines:\n${tail(logFile, 20)}`);
    },
    signal: (signal) => void running().kill(signal),
    async ended() {
      await ended(running());
      return running().exitCode;
    },
    stop: () => finish('SIGTERM'),
    kill: () => finish('SIGKILL'),
    arm(failpoint) {
      rmSync(markFile, { force: true });
      writeFileSync(armedFile, failpoint);
    },
    disarm: () => rmSync(armedFile, { force: true }),
    mark: () => (existsSync(markFile) ? readFileSync(markFile, 'utf8') : null),
  };
}

/** The addresses of the simulated providers. Without a sandbox no server listens there. */
export function providersEnv(sandbox: Sandbox | null): Env {
  const url = sandbox?.url ?? 'http://127.0.0.1:9';
  return {
    ENCRYPTION_KEYS,
    STRIPE_API_URL: url,
    STRIPE_API_KEY: 'sk_test_process',
    STRIPE_WEBHOOK_SECRET: LOCAL_SECRETS.paymentsWebhook,
    WAREHOUSE_URL: url,
    WAREHOUSE_API_KEY: 'process',
    WAREHOUSE_CALLBACK_SECRET: LOCAL_SECRETS.warehouseCallback,
    SMTP_URL: `smtp://127.0.0.1:${sandbox?.smtpPort ?? 9}`,
    TWILIO_API_URL: url,
    TWILIO_ACCOUNT_SID: LOCAL_SECRETS.twilioAccountSid,
    TWILIO_AUTH_TOKEN: 'process',
    TWILIO_FROM: '+15005550006',
  };
}

/**
 * A process of a test is over in seconds: optimizing the database client's WebAssembly and reading
 * source maps would be two fifths of all the work it does.
 */
function shortLived(args: readonly string[]): readonly string[] {
  return ['--liftoff-only', ...args.filter((arg) => arg !== '--enable-source-maps')];
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    // Not listening yet.
    return false;
  }
}
