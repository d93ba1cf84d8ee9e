/**
 * `npm run chaos`: injects every kind of fault under load, clears them, and exits with 0 only if no
 * promise was broken. What is injected and asserted: docs/chaos.md.
 */
import { setMaxListeners } from 'node:events';
import process from 'node:process';
import { UsageError } from '../usage.ts';
import { createEnvironment, type Environment } from './environment.ts';
import { evaluate } from './evaluate.ts';
import { readOptions, USAGE, type ChaosOptions } from './options.ts';
import { describe } from './report.ts';
import { SCENARIOS } from './scenarios.ts';

const STOPPED = 130;
const PARENT_CHECK_MS = 1_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  // Every request in flight listens to it.
  setMaxListeners(0, stop.signal);
  const parentCheck = stopWithParent(stop);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort());
  }
  try {
    const options = readOptions(args);
    if (options !== null) return await runOnce(options, stop.signal);
    say(USAGE);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) {
      say('Stopped; nothing is left running.');
      return STOPPED;
    }
    if (error instanceof UsageError) {
      say(`${error.message}\n${USAGE}`);
      return 2;
    }
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  } finally {
    clearInterval(parentCheck);
  }
}

/** npm sends a signal to its shell, which exits without passing it on: a lost parent means stop. */
function stopWithParent(stop: AbortController): NodeJS.Timeout {
  const parent = process.ppid;
  return setInterval(() => {
    if (process.ppid !== parent) stop.abort();
  }, PARENT_CHECK_MS);
}

async function runOnce(options: ChaosOptions, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  const environment = await createEnvironment();
  try {
    say(`Starting a separate stack in ${environment.home.path}`);
    await startUnlessAborted(environment, signal);
    // Loaded late: it imports the generated Prisma client, which the first start of a stack makes.
    const { run } = await import('./run.ts');
    const { facts, responses } = await run({ options, environment, signal, say });
    const thresholds = { ...SCENARIOS[options.only], killsEach: options.kills };
    const verdict = evaluate(facts, thresholds);
    const tookMs = performance.now() - startedAt;
    for (const line of describe({ options, thresholds, facts, verdict, responses, tookMs }))
      say(line);
    return verdict.violations.length === 0 ? 0 : 1;
  } finally {
    await environment.close(options.keep);
    if (options.keep) say(`Data and logs are kept in ${environment.home.path}`);
  }
}

async function startUnlessAborted(environment: Environment, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
  });
  const starting = environment.start();
  starting.catch(() => undefined);
  await Promise.race([starting, aborted]);
}

function say(line: string): void {
  console.log(line);
}
