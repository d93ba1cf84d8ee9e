/** One run in two phases: inject faults under load, then clear them, wait for recovery, inspect. */
import { closeDatabase, createDatabase } from '../../prisma/client/client.ts';
import { checkInvariants } from '../../prisma/operations/invariants.ts';
import { createSandboxClient } from '../sandbox-client.ts';
import { creditCustomer, stockProduct } from '../shop-requests.ts';
import { startConnectionFaults } from './connection-faults.ts';
import type { Faulted, RunContext, RunOptions } from './context.ts';
import type { Facts } from './evaluate.ts';
import { inspect } from './inspect.ts';
import { watchInvariants } from './invariant-watch.ts';
import { startKiller } from './killer.ts';
import { startLoad } from './load.ts';
import {
  CREDITED,
  CREDITED_SHARE,
  creditOwner,
  SCARCE,
  SCARCE_SHARE,
  SHORT,
  SHORT_SHARE,
  UNITS_PER_SHORT_ORDER,
} from './order-plan.ts';
import { startProviderFaults } from './provider-faults.ts';
import { startReceiver } from './receiver.ts';
import { recover } from './recovery.ts';
import { SCENARIOS } from './scenarios.ts';

/** A run short of kills or faults takes more orders, up to this many times as many. */
const MAX_TIMES_LONGER = 4;
const PROGRESS_INTERVAL_MS = 10_000;
/** Of the customers who want a scarce unit, the share that can get one. */
const SCARCE_SUPPLY = 0.5;
/** Of the units of the product that is short, the share that the warehouse has. */
const SHORT_SUPPLY = 0.5;
/** Of the orders on credit, the share that the balance pays for. */
const CREDIT_SUPPLY = 0.5;
/** One each for the invariants and for reading records, one to spare. */
const POOL_SIZE = 3;
const CHECK_TIMEOUT_MS = 5_000;

/** Rejects when the signal aborts, or when the stack cannot be inspected after its recovery. */
export async function run(
  given: RunOptions,
): Promise<{ readonly facts: Facts; readonly responses: ReadonlyMap<string, number> }> {
  const { options, environment, signal, say } = given;
  const { api, databaseUrl } = environment.addresses;
  const responses = new Map<string, number>();
  const count = (what: string) => responses.set(what, (responses.get(what) ?? 0) + 1);
  await prepareShop(environment.addresses, options);
  const { receiverFailureShare: failureShare } = SCENARIOS[options.only];
  const receiver =
    failureShare === null ? null : await startReceiver({ api, seed: options.seed, failureShare });
  const db = createDatabase({ url: databaseUrl, poolSize: POOL_SIZE });
  const context = { ...given, db, client: { api, signal, count }, receiver };
  try {
    const faulted = await injectFaults(context);
    const recovered = await recover(context, faulted.load);
    say('Inspecting: audit, ledgers, every request repeated');
    return { facts: await inspect(context, { ...faulted, ...recovered }), responses };
  } finally {
    await closeDatabase(db);
    await receiver?.close();
  }
}

/** Products, stock and credit of which there is less than the customers want. */
async function prepareShop(
  { api, sandbox }: RunOptions['environment']['addresses'],
  { seed, orders }: RunOptions['options'],
): Promise<void> {
  const scarceUnits = Math.max(1, Math.floor(orders * SCARCE_SHARE * SCARCE_SUPPLY));
  await stockProduct(api, SCARCE, scarceUnits);
  await stockProduct(api, CREDITED, orders * MAX_TIMES_LONGER);
  const onCredit = Math.ceil(orders * CREDITED_SHARE * CREDIT_SUPPLY);
  const amountMinor = onCredit * CREDITED.priceMinor;
  await creditCustomer(api, { ...creditOwner(seed), amountMinor });
  await stockProduct(api, SHORT, orders * MAX_TIMES_LONGER * UNITS_PER_SHORT_ORDER);
  const wanted = orders * SHORT_SHARE * UNITS_PER_SHORT_ORDER;
  const available = Math.max(1, Math.floor(wanted * SHORT_SUPPLY));
  const warehouse = createSandboxClient({ url: sandbox, timeoutMs: CHECK_TIMEOUT_MS });
  await warehouse.act(`warehouse/stock/${SHORT.sku}`, { available }, 'PUT');
}

async function injectFaults(context: RunContext): Promise<Faulted> {
  const { options, environment, signal, say, db } = context;
  const { seed, ratePerSecond, orders, short, kills, only } = options;
  const { targets, rhythm, faults } = SCENARIOS[only];
  say(`Injecting faults: ${orders} orders at ${ratePerSecond}/s, seed ${seed}`);
  const killer = startKiller({ environment, seed, targets, killsEach: kills, rhythm, say });
  const pauseMs = short ? { least: 500, most: 2_000 } : { least: 1_000, most: 5_000 };
  const injectors =
    faults.length === 0
      ? []
      : [
          startConnectionFaults({ proxies: environment.proxies, seed, pauseMs }),
          startProviderFaults(environment.addresses.sandbox, seed),
        ];
  const watch = watchInvariants(() =>
    checkInvariants(db, { scope: 'always', timeoutMs: CHECK_TIMEOUT_MS }),
  );
  const hasFired = (kind: string): boolean =>
    injectors.some(({ fired }) => (fired.get(kind) ?? 0) > 0);
  const isEnough = (): boolean => killer.isDone && faults.every(hasFired);
  const load = startLoad({
    ...context.client,
    seed,
    ratePerSecond,
    continues: (n) => n < orders || (n < orders * MAX_TIMES_LONGER && !isEnough()),
  });
  const progress = setInterval(() => {
    say(`  ${load.arrived} orders, ${load.inFlight} in flight, ${killer.kills.length} kills`);
  }, PROGRESS_INTERVAL_MS);
  try {
    await load.arrivals;
  } finally {
    clearInterval(progress);
    // Also when the run is aborted: nothing may be killed after that.
    await Promise.all([killer, watch, ...injectors].map((each) => each.stop()));
  }
  signal.throwIfAborted();
  return { load, killer, injectors, watch };
}
