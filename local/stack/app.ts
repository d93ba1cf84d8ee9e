/**
 * `npm run app`: another app process beside a running stack, by default a worker. A second API needs
 * a PORT of its own. It ends with this command, however that ends: by its parent, or by its reaper. The
 * next start of the stack ends it, too, because its addresses may be others.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, readStackConfig } from '../../config.ts';
import { environmentBeside, loadAddresses } from './addresses.ts';
import { ended, launch, nodeCommand, stop, watchParent } from './commands.ts';
import { createHome, PRIVATE_FILE } from './home.ts';
import { launchReaper, runningStack } from './leftovers.ts';
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
  const name = `app-${process.pid}`;
  const dismissReaper = launchReaper(home, name);
  const child = launch(nodeCommand('main.ts', ['--home', home.path], env), 'pipe');
  const pidFile = join(home.run, `${name}.pid`);
  writeFileSync(pidFile, String(child.pid ?? ''), { mode: PRIVATE_FILE });
  follow(child, { name: role, logFile: home.logFile(name), showAll: true });
  const stopChild = (): void => {
    void stop(child, { signal: 'SIGTERM', timeoutMs: STOP_TIMEOUT_MS });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopChild);
  const parentWatch = watchParent(stopChild);
  process.once('exit', () => child.kill('SIGKILL'));
  say(`${role} starts as process ${child.pid ?? 'none'}; Ctrl-C stops it`);
  await ended(child);
  clearInterval(parentWatch);
  rmSync(pidFile, { force: true });
  dismissReaper();
  return child.exitCode ?? 1;
}
