/**
 * Breaks the connections between the app and its servers, to one server at a time: a fault of all at
 * once would only show a machine without a network.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { becomesTrue } from '../../local/stack/commands.ts';
import { createRandom } from '../random.ts';
import { PROXIED, type Environment, type Proxied } from './environment.ts';
import { CHANGE_DONE, CHANGE_REQUEST, type NetworkFault } from './network-fault.ts';
import type { TcpProxy } from './tcp-proxy.ts';

export interface FaultInjector {
  /** How often each kind fired. */
  readonly fired: ReadonlyMap<string, number>;
  /** Stops and clears its faults. */
  stop(): Promise<void>;
}

export interface ConnectionFaultOptions {
  readonly proxies: Environment['proxies'];
  readonly seed: number;
  /** Between two faults: shortest and longest. */
  readonly pauseMs: { readonly least: number; readonly most: number };
}

const SHORTEST_MS = 200;
const LONGEST_MS = 1_200;
/** A fault that waits for matching bytes does so for this long. */
const FIRES_WITHIN_MS = 4_000;
const POLL_MS = 20;

const FAULTS: Readonly<Record<string, NetworkFault | 'cut'>> = {
  'slow connection': { kind: 'slow', latencyMs: 80, bytesPerSecond: 200_000 },
  'sliced bytes': { kind: 'slow', sliceBytes: 16 },
  'half-open connection': { kind: 'swallow' },
  'responses lost, connection open': { kind: 'swallow', direction: 'to_client' },
  'connections cut': 'cut',
  'cut within a response': { kind: 'cut_after', direction: 'to_client', bytes: 300, times: 4 },
  'connections refused': { kind: 'refuse' },
  'change done, response lost': changeFault('to_client', CHANGE_DONE, false),
  'change delivered, then cut': changeFault('to_server', CHANGE_REQUEST, true),
  'change cut before it arrived': changeFault('to_server', CHANGE_REQUEST, false),
};

/** The kinds every run has to show; each is counted by what the proxies really did. */
export const CONNECTION_FAULTS: readonly string[] = Object.keys(FAULTS);

/** Starts at once: every kind once a round, in a seeded order, each on one server's connections. */
export function startConnectionFaults(options: ConnectionFaultOptions): FaultInjector {
  const fired = new Map<string, number>(CONNECTION_FAULTS.map((kind) => [kind, 0]));
  const stopping = new AbortController();
  const running = injectAll(options, fired, stopping.signal);
  return {
    fired,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function injectAll(
  { proxies, seed, pauseMs }: ConnectionFaultOptions,
  fired: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const random = createRandom(seed, 'lines');
  let servers: readonly Proxied[] = [];
  try {
    for (;;) {
      for (const kind of random.shuffled(CONNECTION_FAULTS)) {
        await delay(random.between(pauseMs.least, pauseMs.most), undefined, { signal });
        if (servers.length === 0) servers = random.shuffled(PROXIED);
        const isChange = kind.startsWith('change');
        const server = isChange ? 'postgres' : (servers[0] ?? 'postgres');
        if (!isChange) servers = servers.slice(1);
        const lastsMs = random.between(SHORTEST_MS, LONGEST_MS);
        const times = await injectOnce(proxies[server], { kind, lastsMs, signal });
        fired.set(kind, (fired.get(kind) ?? 0) + times);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Returns how often the fault fired. */
async function injectOnce(
  proxy: TcpProxy,
  options: { readonly kind: string; readonly lastsMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const { kind, lastsMs, signal } = options;
  const fault = FAULTS[kind] ?? 'cut';
  const before = sumOf(proxy.counts());
  const fired = (): number => sumOf(proxy.counts()) - before;
  try {
    if (fault === 'cut') proxy.cutNow();
    else proxy.inject(fault);
    await delay(lastsMs, undefined, { signal });
    if (fault === 'cut') return fired();
    const limits = { timeoutMs: FIRES_WITHIN_MS, everyMs: POLL_MS };
    await becomesTrue(async () => signal.aborted || fired() > 0, limits);
    return fired();
  } finally {
    proxy.clearFaults();
  }
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function changeFault(
  direction: 'to_client' | 'to_server',
  pattern: Buffer,
  deliver: boolean,
): NetworkFault {
  return { kind: 'cut_on', direction, pattern, deliver, times: 2 };
}
