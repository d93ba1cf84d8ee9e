/**
 * One run in two phases: harm while shoppers come, then heal and demand that everything comes to
 * rest, agrees and is remembered.
 */
import { clearFaults } from './recovery.ts';
import { openInvariants, watchInvariants } from './invariant-watch.ts';
import type { InvariantCheck, InvariantWatch } from './invariant-watch.ts';
import { startKiller } from './killer.ts';
import type { Killer } from './killer.ts';
import { startLineFaults } from './line-faults.ts';
import type { Harm } from './line-faults.ts';
import { startLoad } from './load.ts';
import type { Load } from './load.ts';
import { inspect, REST_WITHIN_MS } from './inspect.ts';
import type { ChaosOptions } from './options.ts';
import { SCARCE, SCARCE_SHARE } from './order-plan.ts';
import { startProviderFaults } from './provider-faults.ts';
import { startReceiver } from './receiver.ts';
import type { Environment } from './environment.ts';
import { SCENARIOS } from './scenarios.ts';
import type { ShopperDeps } from './client.ts';
import type { Thresholds, Facts } from './evaluate.ts';

export interface RunDeps {
  readonly options: ChaosOptions;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface RunResult {
  readonly facts: Facts;
  readonly answers: ReadonlyMap<string, number>;
}

/** A run that cannot get its kills and faults done ends all the same, and says what is missing. */
const MOST_TIMES_LONGER = 4;
const PROGRESS_EVERY_MS = 10_000;
const CONTROL_TIMEOUT_MS = 10_000;
/** Of the shoppers who want a scarce unit, those who can get one. */
const SCARCE_SUPPLY = 0.5;

/** What the run of these options has to show. */
export function thresholdsOf(options: ChaosOptions): Thresholds {
  const { targets, faults, apiReadyWithinMs, everyFirstTry } = SCENARIOS[options.only];
  return {
    targets,
    killsEach: options.kills,
    faults,
    settleWithinMs: REST_WITHIN_MS,
    apiReadyWithinMs,
    everyFirstTry,
  };
}

/** Harms, heals, looks. Rejects when the signal ends it, or when the healed stack cannot be asked. */
export async function run(deps: RunDeps): Promise<RunResult> {
  const { environment, signal, say, options } = deps;
  const { api, databaseUrl } = environment.addresses;
  const answers = new Map<string, number>();
  const client: ShopperDeps = {
    api,
    signal,
    count: (what) => answers.set(what, (answers.get(what) ?? 0) + 1),
  };
  await stockScarce(api, options.orders);
  const { receiverFails: fails } = SCENARIOS[options.only];
  const receiver = fails === null ? null : await startReceiver({ api, seed: options.seed, fails });
  const invariants = await openInvariants(databaseUrl);
  try {
    const faulted = await harm(deps, client, invariants.check);
    const recovered = await clearFaults({ environment, signal, say, load: faulted.load, receiver });
    say('Looking: books, ledgers, invariants, every answer once more');
    const facts = await inspect({ environment, client }, { ...faulted, ...recovered, receiver });
    return { facts, answers };
  } finally {
    await invariants.close();
    await receiver?.close();
  }
}

interface Faulted {
  readonly load: Load;
  readonly killer: Killer;
  readonly harms: readonly Harm[];
  readonly watch: InvariantWatch;
}

async function harm(
  { options, environment, signal, say }: RunDeps,
  client: ShopperDeps,
  check: InvariantCheck,
): Promise<Faulted> {
  const { seed, ratePerSecond, orders, short, kills, only } = options;
  const { targets, rhythm, faults } = SCENARIOS[only];
  say(`Harm: ${orders} orders at ${ratePerSecond}/s, seed ${seed}`);
  const killer = startKiller({
    environment,
    seed,
    say: (line) => say(`  ${line}`),
    targets,
    killsEach: kills,
    rhythm,
  });
  const pauseMs = short ? { least: 500, most: 2_000 } : { least: 1_000, most: 5_000 };
  const harms =
    faults.length === 0
      ? []
      : [
          startLineFaults({ proxies: environment.proxies, seed, pauseMs }),
          startProviderFaults({ sandbox: environment.addresses.sandbox, seed }),
        ];
  const watch = watchInvariants(check);
  const fired = (kind: string): boolean => harms.some((each) => (each.fired.get(kind) ?? 0) > 0);
  const isEnough = (): boolean => killer.isDone && faults.every(fired);
  const load = startLoad({
    ...client,
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
