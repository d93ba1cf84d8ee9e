/**
 * `npm start`: starts everything the shop needs on this machine, restarts what dies, and stops it in
 * reverse order on Ctrl-C. A second Ctrl-C kills.
 */
import { ConfigError, readStackConfig } from '../../config.ts';
import { chooseAddresses, saveAddresses } from './addresses.ts';
import { watchParent } from './commands.ts';
import { createHome, makeHome } from './home.ts';
import { claimHome, launchReaper, stopLeftovers } from './leftovers.ts';
import { say } from './output.ts';
import { printReady } from './ready.ts';
import { createStack } from './stack.ts';
import type { Stack } from './stack.ts';

const startedAt = performance.now();
let stack: Stack | undefined;
let dismissReaper: (() => void) | undefined;
let stopping = false;

// The reader of the output may exit first; that must not crash the stack.
process.stdout.on('error', () => undefined);
process.on('SIGINT', () => void shutDown('SIGINT'));
process.on('SIGTERM', () => void shutDown('SIGTERM'));
process.on('SIGHUP', () => void shutDown('SIGHUP'));
const orphanWatch = watchParent(() => void shutDown('SIGTERM'));
await main();

async function main(): Promise<void> {
  try {
    await startAll();
  } catch (error) {
    if (stopping) return;
    stopping = true;
    say(`\n${explain(error)}`);
    await stop();
    process.exit(1);
  }
}

async function startAll(): Promise<void> {
  const config = readStackConfig();
  const home = createHome(config.HOLDFAST_HOME);
  makeHome(home);
  claimHome(home);
  say(`Starting Holdfast in ${home.path}`);
  const left = await stopLeftovers(home);
  if (left.length > 0) say(`  stopped processes of an earlier run: ${left.join(', ')}`);
  const { addresses, moved } = await chooseAddresses(config, home);
  for (const line of moved) say(`  ${line}`);
  dismissReaper = launchReaper(home);
  stack = createStack({ config, home, addresses });
  await saveAddresses(home, addresses);
  await stack.start();
  if (stopping) return;
  printReady(home, addresses, ((performance.now() - startedAt) / 1000).toFixed(1));
}

async function shutDown(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): Promise<void> {
  if (stopping) {
    stack?.kill();
    process.exit(130);
  }
  stopping = true;
  clearInterval(orphanWatch);
  say(`\n${signal}: stopping; press Ctrl-C again to kill`);
  await stop();
  say('stopped');
  process.exit(0);
}

async function stop(): Promise<void> {
  await stack?.stop();
  dismissReaper?.();
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError) return `Holdfast did not start. ${error.message}`;
  const cause = error.cause instanceof Error ? `\n  (${error.cause.message.slice(0, 500)})` : '';
  return `Holdfast did not start. ${error.message}${cause}`;
}
