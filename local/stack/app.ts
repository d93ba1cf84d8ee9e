/**
 * `npm run app`: another app process beside a running stack, by default a worker. A second API needs
 * a PORT of its own.
 */
import { environment, readStackConfig } from '../../config.ts';
import { environmentBeside, loadAddresses } from './addresses.ts';
import { ended, launch, nodeCommand, stop } from './commands.ts';
import { createHome } from './home.ts';
import { runningStack } from './leftovers.ts';
import { follow, say } from './output.ts';
import { freePort } from './ports.ts';

const STOP_TIMEOUT_MS = 30_000;

process.exitCode = await main();

async function main(): Promise<number> {
  const home = createHome(readStackConfig().HOLDFAST_HOME);
  if (runningStack(home) === null) {
    say(`No stack is running on ${home.path}: npm start`);
    return 1;
  }
  const addresses = await loadAddresses(home);
  const given = Object.fromEntries(
    Object.entries(environment()).filter(([, value]) => value !== ''),
  );
  const role = given['ROLE'] ?? 'worker';
  const port = given['PORT'] ?? (role === 'worker' ? String(await freePort()) : undefined);
  if (port === undefined || `http://127.0.0.1:${port}` === addresses.api) {
    say(`ROLE=${role} serves HTTP: set PORT to another than the stack's, e.g. PORT=3100.`);
    return 1;
  }
  const env = { ...environmentBeside(addresses, given), ROLE: role, PORT: port };
  const child = launch(nodeCommand('main.ts', [], env), 'pipe');
  const logFile = home.logFile(`app-${process.pid}`);
  follow(child, { name: role, logFile, showAll: true });
  const stopChild = (): void => {
    void stop(child, { signal: 'SIGTERM', timeoutMs: STOP_TIMEOUT_MS });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopChild);
  process.once('exit', () => child.kill('SIGKILL'));
  say(`${role} starts as process ${child.pid ?? 'none'}; Ctrl-C stops it`);
  await ended(child);
  return child.exitCode ?? 1;
}
