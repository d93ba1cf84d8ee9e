/**
 * The stack of a chaos run as a separate process: restarts its parts when they die, with a second
 * worker beside them. It reads all addresses from its home's stack.json, and stops everything when
 * its input ends, however the run ended.
 */
import { once } from 'node:events';
import { environment, readStackConfig } from '../../config.ts';
import { environmentBeside, loadAddresses, type Addresses } from '../../local/stack/addresses.ts';
import { nodeCommand } from '../../local/stack/commands.ts';
import { createHome, makeHome, type Home } from '../../local/stack/home.ts';
import { launchReaper } from '../../local/stack/leftovers.ts';
import { appPart } from '../../local/stack/parts.ts';
import { createStack } from '../../local/stack/stack.ts';
import { createPart, type PartSpec } from '../../local/stack/supervisor.ts';
import { returnsOk } from '../http.ts';

const [path, workerPath, workerPort] = process.argv.slice(2);
if (path === undefined || workerPath === undefined || workerPort === undefined) {
  throw new Error('usage: stack-process.ts <home> <home of the second worker> <its port>');
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
await main(createHome(path), createHome(workerPath), workerPort);

async function main(home: Home, workerHome: Home, port: string): Promise<void> {
  makeHome(workerHome);
  const addresses = await loadAddresses(home);
  const dismissReapers = [home, workerHome].map((each) => launchReaper(each));
  const config = readStackConfig({ XDG_CACHE_HOME: environment()['XDG_CACHE_HOME'] });
  const stack = createStack({ config, home, addresses });
  const worker = createPart(workerSpec(workerHome, addresses, port), workerHome);
  let failed = false;
  const starting = stack
    .start()
    .then(() => worker.start())
    .catch((error: unknown) => {
      failed = true;
      console.log(error instanceof Error ? error.message : String(error));
    });
  process.stdin.resume();
  const closed = once(process.stdin, 'close');
  await Promise.race([closed, starting.then(() => (failed ? undefined : closed))]);
  // The data is not needed any more: no graceful stop.
  worker.kill();
  stack.kill();
  await worker.stop();
  await stack.stop();
  for (const dismiss of dismissReapers) dismiss();
  process.exit(failed ? 1 : 0);
}

/** A worker is an app with another role; its own home gives it its own pid and log files. */
function workerSpec(home: Home, addresses: Addresses, port: string): PartSpec {
  const env = { ...environmentBeside(addresses), ROLE: 'worker', PORT: port };
  return {
    ...appPart(home, addresses, undefined),
    command: nodeCommand('main.ts', ['--home', home.path], env),
    ports: { PORT: Number(port) },
    isReady: () => returnsOk(`http://127.0.0.1:${port}/readyz`),
  };
}
