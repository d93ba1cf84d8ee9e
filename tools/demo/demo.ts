/** `npm run demo`: runs six scenarios on the running stack. Exits with 0 only if all passed. */
import process from 'node:process';
import { ConfigError, readStackConfig } from '../../config.ts';
import { loadAddresses, type Addresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { runningStack } from '../../local/stack/leftovers.ts';
import { returnsOk } from '../http.ts';
import { createSandboxClient } from '../sandbox-client.ts';
import { paint } from './paint.ts';
import { runScenario, type Environment } from './runner.ts';
import { SCENARIOS } from './scenarios.ts';
import { createShop } from './shop.ts';
import { createTemporalUi } from './temporal-ui.ts';

const STOPPED = 130;

/** The demo cannot run yet. The message says what to do first. */
class Unavailable extends Error {}

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  const { signal } = stop;
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  try {
    const addresses = await findStack();
    const environment = {
      shop: createShop(addresses.api, signal),
      sandbox: createSandboxClient({ url: addresses.sandbox, signal }),
      temporalUi: createTemporalUi(addresses, signal),
      run: Date.now().toString(36),
      signal,
      say,
    };
    return await runAll(environment, addresses);
  } catch (error) {
    if (signal.aborted) {
      say('\nStopped; all faults cleared.');
      return STOPPED;
    }
    say(explain(error));
    return 1;
  }
}

async function findStack(): Promise<Addresses> {
  const home = createHome(readStackConfig().HOLDFAST_HOME);
  if (runningStack(home) === null) {
    throw new Unavailable(`No stack is running on ${home.path}. Run npm start first.`);
  }
  const addresses = await loadAddresses(home);
  const readyUrl = `${addresses.api}/readyz`;
  if (await returnsOk(readyUrl)) return addresses;
  throw new Unavailable(`The stack is not ready yet. See ${readyUrl}`);
}

async function runAll(
  environment: Environment,
  { sandbox, temporalUi }: Addresses,
): Promise<number> {
  const armed = (await environment.sandbox.faults()).filter(({ times }) => times !== 0);
  if (armed.length > 0) {
    const places = armed.map(({ provider, operation }) => `${provider}/${operation}`).join(', ');
    const command = `curl -X DELETE ${sandbox}/faults`;
    throw new Unavailable(`Faults are already armed (${places}). Clear them first: ${command}`);
  }
  say('Six scenarios, one order each. Times are relative to the creation of the order.');
  let failed = 0;
  for (const [index, scenario] of SCENARIOS.entries()) {
    say(`\n${paint('bold', `${index + 1}. ${scenario.name}`)}  ${scenario.story}`);
    const failures = await runScenario(environment, scenario);
    for (const line of failures) say(`  ${paint('red', `failed: ${line}`)}`);
    if (failures.length === 0) say(`  ${paint('green', 'passed')}`);
    else failed += 1;
  }
  say(`\nInbox ${sandbox}/inbox${temporalUi === undefined ? '' : `  Web UI ${temporalUi}`}`);
  say(
    failed === 0
      ? paint('green', `All ${SCENARIOS.length} scenarios passed.`)
      : paint('red', `${failed} of ${SCENARIOS.length} scenarios failed.`),
  );
  return failed === 0 ? 0 : 1;
}

function explain(error: unknown): string {
  if (error instanceof Unavailable || error instanceof ConfigError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
  return `The demo was aborted: ${message}${cause === '' ? '' : ` (${cause})`}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
