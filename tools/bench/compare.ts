/**
 * `npm run bench:peers` beside a running stack: orders through Holdfast and through other engines that
 * do the same work, in turns, on the same machine and servers. Each takes the place of the stack's
 * app meanwhile. Writes bench-peers.json into the stack's folder. Linux only.
 *
 * `-- --rounds=5` (default 1), `-- --other=<folder>`: Holdfast also as in another checkout,
 * `-- --node=<program>`: also on another Node, `-- --temporal-postgres`: also with PostgreSQL as Temporal's
 * store (needs Go), `-- --only=<name>,<name>`, `-- --append`: to rounds of the same commit and day,
 * `-- --report`: measures nothing, and writes the last result into docs/performance.md.
 */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { becomesTrue, run } from '../../local/stack/commands.ts';
import { createHome, PROJECT } from '../../local/stack/home.ts';
import { runningPart, stopPid } from '../../local/stack/leftovers.ts';
import { listContenders, PEERS, type Contender, type Running } from './contenders.ts';
import { openCostMeter } from './cost.ts';
import { closedLoad, openLoad, print } from './load.ts';
import { describeRow, measure, type Meters } from './measure.ts';
import {
  describeMachine,
  renderReport,
  resultSchema,
  writeReport,
  type Result,
  type Visit,
} from './report.ts';
import { benchShop, stockShop, type BenchShop } from './shop.ts';
import { openTemporalMeter } from './temporal-meter.ts';

const CUSTOMERS = 32;
const PER_SECOND = 10;
/** Until V8 has compiled what is called often. */
const WARM_UP_MS = 10_000;
/** 200 answers at 10 a second, so that p99 is not their slowest. */
const LOAD_MS = 20_000;
const READY_WITHIN_MS = 60_000;
const FIRST_ORDER_WITHIN_MS = 3_000;
const INSTALL_WITHIN_MS = 300_000;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1' },
    other: { type: 'string' },
    node: { type: 'string' },
    'temporal-postgres': { type: 'boolean', default: false },
    only: { type: 'string' },
    append: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
  },
});
const home = createHome(readStackConfig().HOLDFAST_HOME);
const resultFile = join(home.path, 'bench-peers.json');
if (!options.report) await compare();
const result = await readResult();
if (options.report) await writeReport(result);
else process.stdout.write(`\n${renderReport(result)}\n`);
process.exit(0);

async function readResult(): Promise<Result> {
  return resultSchema.parse(JSON.parse(await readFile(resultFile, 'utf8')));
}

async function compare(): Promise<void> {
  await installPeers();
  const addresses = await loadAddresses(home);
  await stockShop(addresses.api);
  await takePlaceOfApp();
  const { only, other, node, 'temporal-postgres': onPostgres } = options;
  const all = await listContenders({ home, addresses }, { other, node, onPostgres });
  const contenders = all.filter(({ name }) => only?.split(',').includes(name) ?? true);
  const machine = await describeMachine();
  const before = options.append ? await readResult() : null;
  const visits: Visit[] = before?.machine === machine ? [...before.visits] : [];
  const done = Math.floor(visits.length / contenders.length);
  for (let round = 0; round < Number(options.rounds); round += 1) {
    // Each is first once, so that none always follows the same neighbor.
    const first = (done + round) % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      visits.push(await visit(contender));
      await writeFile(resultFile, JSON.stringify({ machine, visits }, null, 2));
    }
  }
}

/** The stack starts its app again when this process has ended, however it ends. */
async function takePlaceOfApp(): Promise<void> {
  const app = runningPart(home, 'app');
  if (app === null) throw new Error('the stack runs no app: npm start');
  writeFileSync(home.stoppedFile('app'), '');
  process.once('exit', () => rmSync(home.stoppedFile('app'), { force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(1));
  await stopPid(app, 'app');
}

/** A contender that fails says why, and the others go on. */
async function visit({ name, start }: Contender): Promise<Visit> {
  let running: Running | undefined;
  try {
    running = await start();
    return { name, ...(await measureRunning(name, running)) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const failure = running?.isAlive() === false ? `it ended: ${running.lastError()}` : reason;
    print(name, `failed: ${failure}`);
    return { name, failure };
  } finally {
    await running?.stop();
  }
}

async function measureRunning(name: string, running: Running) {
  const { addresses, workflowType } = running;
  const cost = await openCostMeter(addresses.databaseUrl, (part) => running.pidOf(part));
  const temporal =
    workflowType === null
      ? undefined
      : await openTemporalMeter(await running.metricsUrl(), addresses, workflowType);
  try {
    const meters: Meters = { cost, temporal };
    const shop = benchShop(addresses);
    const load = { url: shop.api, next: shop.order, forMs: LOAD_MS };
    const customers = { ...load, clients: CUSTOMERS };
    await bringToRest(running, { meters, shop });
    await measure(meters, (settled) => closedLoad({ ...customers, settled, forMs: WARM_UP_MS }));
    const open = await measure(meters, (settled) =>
      openLoad({ ...load, settled, perSecond: PER_SECOND }),
    );
    print(name, `at ${PER_SECOND}/s: ${describeRow(open)}`);
    const closed = await measure(meters, (settled) => closedLoad({ ...customers, settled }));
    print(name, `${CUSTOMERS} customers: ${describeRow(closed)}`);
    return { open, closed };
  } finally {
    await Promise.all([cost.close(), temporal?.close()]);
  }
}

/** Waits until a first order comes to rest: then API and engine work. */
async function bringToRest(
  { isAlive }: Running,
  { meters, shop }: { readonly meters: Meters; readonly shop: BenchShop },
): Promise<void> {
  const first = { url: shop.api, next: shop.order, forMs: 1, clients: 1 };
  const limits = { ...meters, restWithinMs: FIRST_ORDER_WITHIN_MS };
  let reason: unknown;
  const comesToRest = async (): Promise<boolean> => {
    try {
      await measure(limits, (settled) => closedLoad({ ...first, settled }));
      return true;
    } catch (error) {
      reason = error;
      return false;
    }
  };
  const waiting = { timeoutMs: READY_WITHIN_MS, everyMs: 200, alive: isAlive };
  if (!(await becomesTrue(comesToRest, waiting))) throw reason;
}

/** Installs the peers on first use. They must agree with the types of the project as it is now. */
async function installPeers(): Promise<void> {
  const modifiedMs = (file: string): number =>
    statSync(join(PEERS, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (modifiedMs('node_modules/.package-lock.json') < modifiedMs('package-lock.json')) {
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
    await run({ file: 'npm', args, cwd: PEERS }, { timeoutMs: INSTALL_WITHIN_MS });
  }
  const args = ['tsc', '--noEmit', '-p', PEERS];
  await run({ file: 'npx', args, cwd: PROJECT }, { timeoutMs: INSTALL_WITHIN_MS });
}
