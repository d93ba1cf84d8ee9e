/**
 * One run in two phases: harm while shoppers come, then heal and demand that everything comes to
 * rest, agrees and is remembered.
 */
import { becomesTrue } from '../stack/commands.ts';
import { readOrders } from './books.ts';
import { openInvariants, watchInvariants } from './invariant-watch.ts';
import type { InvariantCheck, InvariantWatch } from './invariant-watch.ts';
import { startKiller, VICTIMS } from './killer.ts';
import type { Killer } from './killer.ts';
import { LINE_FAULTS, startLineFaults } from './line-faults.ts';
import type { Harm } from './line-faults.ts';
import { startLoad } from './load.ts';
import type { Load } from './load.ts';
import { look, REST_WITHIN_MS } from './look.ts';
import type { Healed } from './look.ts';
import type { ChaosOptions } from './options.ts';
import { SCARCE, SCARCE_SHARE } from './order-plan.ts';
import { PROVIDER_FAULTS, startProviderFaults } from './provider-faults.ts';
import type { Rig } from './rig.ts';
import type { ShopperDeps } from './shopper.ts';
import { isAtRest } from './verdict.ts';
import type { Demands, Facts } from './verdict.ts';

export interface RunDeps {
  readonly options: ChaosOptions;
  readonly rig: Rig;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface RunResult {
  readonly facts: Facts;
  readonly answers: ReadonlyMap<string, number>;
}

const POSTGRES_READY_WITHIN_MS = 5_000;
/** A run that cannot get its kills and faults done ends all the same, and says what is missing. */
const MOST_TIMES_LONGER = 4;
const PROGRESS_EVERY_MS = 10_000;
const CONTROL_TIMEOUT_MS = 10_000;
/** Of the shoppers who want a scarce unit, those who can get one. */
const SCARCE_SUPPLY = 0.5;

/** What the run of these options has to show. */
export function demandsOf(options: ChaosOptions): Demands {
  const everything = options.only === 'everything';
  return {
    victims: everything ? VICTIMS : ['postgres'],
    killsEach: options.kills,
    faults: everything ? [...LINE_FAULTS, ...PROVIDER_FAULTS] : [],
    restWithinMs: REST_WITHIN_MS,
    apiReadyWithinMs: everything ? null : POSTGRES_READY_WITHIN_MS,
  };
}

/** Harms, heals, looks. Rejects when the signal ends it, or when the healed stack cannot be asked. */
export async function run(deps: RunDeps): Promise<RunResult> {
  const { rig, signal, say, options } = deps;
  const answers = new Map<string, number>();
  const shopper: ShopperDeps = {
    api: rig.addresses.api,
    signal,
    count: (what) => answers.set(what, (answers.get(what) ?? 0) + 1),
  };
  await stockScarce(rig.addresses.api, options.orders);
  const invariants = await openInvariants(rig.addresses.databaseUrl);
  try {
    const harmed = await harm(deps, shopper, invariants.check);
    const healed = await heal(deps, harmed);
    say('Looking: books, ledgers, invariants, every answer once more');
    const facts = await look({ rig, shopper }, { ...harmed, ...healed });
    return { facts, answers };
  } finally {
    await invariants.close();
  }
}

interface Harmed {
  readonly load: Load;
  readonly killer: Killer;
  readonly harms: readonly Harm[];
  readonly watch: InvariantWatch;
}

async function harm(
  { options, rig, signal, say }: RunDeps,
  shopper: ShopperDeps,
  check: InvariantCheck,
): Promise<Harmed> {
  const { seed, ratePerSecond, orders, short } = options;
  const demands = demandsOf(options);
  const everything = options.only === 'everything';
  say(`Harm: ${orders} orders at ${ratePerSecond}/s, seed ${seed}`);
  const killer = startKiller({
    rig,
    seed,
    say: (line) => say(`  ${line}`),
    victims: VICTIMS.filter((victim) => demands.victims.includes(victim)),
    killsEach: options.kills,
    pauseMs: { least: 500, most: everything ? 3_500 : 6_000 },
  });
  const pauseMs = short ? { least: 500, most: 2_000 } : { least: 1_000, most: 5_000 };
  const harms = everything
    ? [
        startLineFaults({ proxies: rig.proxies, seed, pauseMs }),
        startProviderFaults({ sandbox: rig.addresses.sandbox, seed }),
      ]
    : [];
  const watch = watchInvariants(check);
  const fired = (kind: string): boolean => harms.some((each) => (each.fired.get(kind) ?? 0) > 0);
  const isEnough = (): boolean => killer.isDone && demands.faults.every(fired);
  const load = startLoad({
    ...shopper,
    seed,
    ratePerSecond,
    goOn: (n) => n < orders || (n < orders * MOST_TIMES_LONGER && !isEnough()),
  });
  const progress = setInterval(() => {
    say(`  ${load.arrived} orders, ${load.underWay} waiting, ${killer.kills.length} kills`);
  }, PROGRESS_EVERY_MS);
  try {
    await load.arrivals;
  } finally {
    clearInterval(progress);
    // Also when the run is ended by hand: nothing may be killed after that.
    await Promise.all([killer.stop(), watch.stop(), ...harms.map((each) => each.stop())]);
  }
  signal.throwIfAborted();
  return { load, killer, harms, watch };
}

/** Nothing is restarted here: what runs has to recover by itself. */
async function heal({ rig, signal, say }: RunDeps, { load }: Harmed): Promise<Healed> {
  const { sandbox, databaseUrl } = rig.addresses;
  const clear = { method: 'DELETE', signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS) };
  await fetch(`${sandbox}/faults`, clear);
  const healedAt = performance.now();
  say('Healed: everything has to come to rest');
  const purchases = await load.finish();
  const accepted = new Set(purchases.flatMap(({ orderId }) => (orderId === null ? [] : [orderId])));
  let waiting = accepted.size;
  const isRestful = await becomesTrue(
    async () => {
      signal.throwIfAborted();
      const orders = await readOrders(databaseUrl);
      const moving = orders.filter((order) => accepted.has(order.id) && !isAtRest(order));
      if (moving.length !== waiting) say(`  ${moving.length} still moving`);
      waiting = moving.length;
      return waiting === 0;
    },
    { timeoutMs: REST_WITHIN_MS - (performance.now() - healedAt), everyMs: 500 },
  );
  return { healedAt, purchases, restAfterMs: isRestful ? performance.now() - healedAt : null };
}

/** A product with fewer units than shoppers who want one. */
async function stockScarce(api: string, orders: number): Promise<void> {
  const units = Math.max(1, Math.floor(orders * SCARCE_SHARE * SCARCE_SUPPLY));
  const { sku, priceMinor } = SCARCE;
  const product = { name: 'Scarce', price_minor: priceMinor, currency: 'EUR' };
  await ask(`${api}/v1/products/${sku}`, 'PUT', product);
  await ask(`${api}/v1/products/${sku}/stock`, 'POST', { delta: units, reason: 'chaos' });
}

async function ask(url: string, method: string, body: object): Promise<void> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: 'Bearer hf_local_admin',
      'content-type': 'application/json',
      'idempotency-key': `chaos-${method}-stock`,
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`);
}
