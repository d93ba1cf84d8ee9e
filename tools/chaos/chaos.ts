/**
 * `npm run chaos`: breaks everything under load, heals it, and ends with 0 only if no promise was
 * broken. What is done and demanded: docs/chaos.md.
 */
import { setMaxListeners } from 'node:events';
import process from 'node:process';
import { readOptions, USAGE, UsageError } from './options.ts';
import type { ChaosOptions } from './options.ts';
import { describe } from './report.ts';
import { createEnvironment } from './environment.ts';
import type { Environment } from './environment.ts';
import { thresholdsOf, run } from './run.ts';
import { evaluate } from './evaluate.ts';

const STOPPED = 130;
const PARENT_CHECK_MS = 1_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  // Every request under way listens to it.
  setMaxListeners(0, stop.signal);
  const orphanWatch = watchParent(() => stop.abort());
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
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return error instanceof UsageError ? 2 : 1;
  } finally {
    clearInterval(orphanWatch);
  }
}

/** npm hands a signal to its shell, which ends without handing it on: a lost parent means stop. */
function watchParent(onLost: () => void): NodeJS.Timeout {
  const parent = process.ppid;
  return setInterval(() => {
    if (process.ppid !== parent) onLost();
  }, PARENT_CHECK_MS);
}

async function runOnce(options: ChaosOptions, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  const environment = await createEnvironment();
  try {
    say(`Chaos starts a stack of its own in ${environment.home.path}`);
    await startUnless(environment, signal);
    const { facts, answers } = await run({ options, environment, signal, say });
    const thresholds = thresholdsOf(options);
    const verdict = evaluate(facts, thresholds);
    const tookMs = performance.now() - startedAt;
    for (const line of describe({ options, thresholds, facts, verdict, answers, tookMs }))
      say(line);
    return verdict.violations.length === 0 ? 0 : 1;
  } finally {
    await environment.close(options.keep);
    if (options.keep) say(`Data and logs are kept in ${environment.home.path}`);
  }
}

/** A start that is not wanted any more is given up at once. */
async function startUnless(environment: Environment, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
  });
  const starting = environment.start();
  starting.catch(() => undefined);
  await Promise.race([starting, stopped]);
}

function say(line: string): void {
  console.log(line);
}
