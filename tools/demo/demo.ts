/**
 * `npm run demo`: runs seven scenarios on the running stack, or the demos of the patterns that are named.
 * Exits with 0 only if all passed.
 */
import process from 'node:process';
import { ConfigError, readStackConfig } from '../../config.ts';
import { loadAddresses, type Addresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { runningStack } from '../../local/stack/leftovers.ts';
import { returnsOk } from '../http.ts';
import { createSandboxClient } from '../sandbox-client.ts';
import { UsageError } from '../usage.ts';
import { listPatterns, readOptions, USAGE, type DemoOptions } from './options.ts';
import { paint } from './paint.ts';
import { createParts, Unavailable, type Parts } from './parts.ts';
import { runScenario, type Environment } from './runner.ts';
import { SCENARIOS } from './scenarios.ts';
import { createShop } from './shop.ts';
import { createStage, type Stage } from './stage.ts';
import { createTemporalUi } from './temporal-ui.ts';

const STOPPED = 130;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const { signal } = stop;
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  try {
    const options = readOptions(args);
    if (options.list) {
      say(listPatterns());
      return 0;
    }
    return await runOn(await findStack(), options, signal);
  } catch (error) {
    if (signal.aborted) {
      say('\nStopped; all faults cleared.');
      return STOPPED;
    }
    if (error instanceof UsageError) {
      say(`${error.message}\n${USAGE}`);
      return 2;
    }
    say(explain(error));
    return 1;
  }
}

interface Found {
  readonly addresses: Addresses;
  readonly parts: Parts;
}

async function findStack(): Promise<Found> {
  const home = createHome(readStackConfig().HOLDFAST_HOME);
  if (runningStack(home) === null) {
    throw new Unavailable(`No stack is running on ${home.path}. Run npm start first.`);
  }
  const addresses = await loadAddresses(home);
  const readyUrl = `${addresses.api}/readyz`;
  if (await returnsOk(readyUrl)) return { addresses, parts: createParts(home, addresses) };
  throw new Unavailable(`The stack is not ready yet. See ${readyUrl}`);
}

async function runOn(
  { addresses, parts }: Found,
  { patterns }: DemoOptions,
  signal: AbortSignal,
): Promise<number> {
  const environment: Environment = {
    shop: createShop(addresses.api, signal),
    sandbox: createSandboxClient({ url: addresses.sandbox, signal }),
    temporalUi: createTemporalUi(addresses, signal),
    run: Date.now().toString(36),
    signal,
    say,
  };
  await refuseArmedFaults(environment, addresses);
  say('Times are relative to the creation of the order.');
  const demos =
    patterns.length === 0
      ? SCENARIOS.map((scenario) => ({
          ...scenario,
          run: () => runScenario(environment, scenario),
        }))
      : patterns.map((pattern) => ({
          ...pattern,
          run: () => show(createStage(environment, { api: addresses.api, parts }), pattern),
        }));
  let failed = 0;
  for (const [index, { name, story, run }] of demos.entries()) {
    say(`\n${paint('bold', `${index + 1}. ${name}`)}  ${story}`);
    const failures = await run();
    for (const line of failures) say(`  ${paint('red', `failed: ${line}`)}`);
    if (failures.length === 0) say(`  ${paint('green', 'passed')}`);
    else failed += 1;
  }
  const { sandbox, temporalUi } = addresses;
  say(`\nInbox ${sandbox}/inbox${temporalUi === undefined ? '' : `  Web UI ${temporalUi}`}`);
  say(
    failed === 0
      ? paint('green', `Passed: ${demos.length} of ${demos.length}.`)
      : paint('red', `Failed: ${failed} of ${demos.length}.`),
  );
  return failed === 0 ? 0 : 1;
}

async function refuseArmedFaults({ sandbox }: Environment, addresses: Addresses): Promise<void> {
  const armed = (await sandbox.faults()).filter(({ times }) => times !== 0);
  if (armed.length === 0) return;
  const places = armed.map(({ provider, operation }) => `${provider}/${operation}`).join(', ');
  const command = `curl -X DELETE ${addresses.sandbox}/faults`;
  throw new Unavailable(`Faults are already armed (${places}). Clear them first: ${command}`);
}

/** Whatever happens, no fault stays armed and no part stays stopped. */
async function show(stage: Stage, pattern: DemoOptions['patterns'][number]) {
  try {
    await pattern.show(stage);
  } finally {
    await stage.parts.restore();
    await stage.sandbox.clearFaults();
  }
  return stage.failures;
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
