/**
 * `npm run demo`: walks one order through each of its fates on the running stack, and ends with 0
 * only if every one ended as it should.
 */
import process from 'node:process';
import { ConfigError, readStackConfig } from '../../config.ts';
import { loadAddresses, type Addresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { runningStack } from '../../local/stack/leftovers.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { call } from './http.ts';
import { createOutside } from './environment.ts';
import { paint } from './paint.ts';
import { runScenario, type Environment } from './runner.ts';
import { createShop } from './shop.ts';

const STOPPED = 130;

/** Something a person has to do first. The message says what. */
class Unavailable extends Error {}

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  try {
    const addresses = await findStack();
    return await runAll(setUp(addresses, stop.signal), addresses);
  } catch (error) {
    if (stop.signal.aborted) {
      say('\nStopped; the faults are cleared.');
      return STOPPED;
    }
    say(explain(error));
    return 1;
  }
}

async function findStack(): Promise<Addresses> {
  const home = createHome(readStackConfig().HOLDFAST_HOME);
  if (runningStack(home) === null) {
    throw new Unavailable(`No stack is running on ${home.path}: run npm start first.`);
  }
  const addresses = await loadAddresses(home);
  const { status } = await call({ url: `${addresses.api}/readyz` });
  if (status !== 200)
    throw new Unavailable(`The stack is not ready yet: see ${addresses.api}/readyz`);
  return addresses;
}

function setUp(addresses: Addresses, signal: AbortSignal): Environment {
  return {
    shop: createShop(addresses.api, signal),
    outside: createOutside(addresses, signal),
    run: Date.now().toString(36),
    signal,
    say,
  };
}

async function runAll(stage: Environment, { sandbox, temporalUi }: Addresses): Promise<number> {
  const armed = await stage.outside.armed();
  if (armed.length > 0) {
    const clear = `curl -X DELETE ${sandbox}/faults`;
    throw new Unavailable(`Faults are armed already (${armed.join(', ')}): ${clear}`);
  }
  say(`Six orders, six fates. Times are since the order was created.`);
  let failed = 0;
  for (const [index, fate] of SCENARIOS.entries()) {
    say(`\n${paint('bold', `${index + 1}. ${fate.name}`)}  ${fate.story}`);
    if (!(await endsWell(stage, fate))) failed += 1;
  }
  say(`\nInbox ${sandbox}/inbox${temporalUi === undefined ? '' : `  Web UI ${temporalUi}`}`);
  say(
    failed === 0
      ? paint('green', `All ${SCENARIOS.length} orders ended as they should.`)
      : paint('red', `${failed} of ${SCENARIOS.length} orders did not end as they should.`),
  );
  return failed === 0 ? 0 : 1;
}

async function endsWell(stage: Environment, fate: Scenario): Promise<boolean> {
  const wrong = await runScenario(stage, fate);
  for (const line of wrong) say(`  ${paint('red', `wrong: ${line}`)}`);
  if (wrong.length === 0) say(`  ${paint('green', 'as it should')}`);
  return wrong.length === 0;
}

function explain(error: unknown): string {
  if (error instanceof Unavailable || error instanceof ConfigError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
  return `The demo could not go on: ${message}${cause === '' ? '' : ` (${cause})`}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
