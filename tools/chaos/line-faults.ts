/**
 * Harms the lines between the app and its servers, one line at a time: harm on every line at once is
 * a machine without a network, and shows nothing but that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { COMMIT_ASKED, COMMIT_DONE } from './network-fault.ts';
import type { NetworkFault } from './network-fault.ts';
import { becomesTrue } from '../../local/stack/commands.ts';
import { createRandom } from './random.ts';
import { PROXIED } from './environment.ts';
import type { Proxied, Environment } from './environment.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/** The kinds every run has to show; each is counted by what the proxies really did. */
export const LINE_FAULTS = [
  'slow line',
  'sliced bytes',
  'half-open line',
  'answers lost on an open line',
  'connections cut',
  'cut in an answer',
  'connections refused',
  'COMMIT done, answer lost',
  'COMMIT delivered, line cut',
  'COMMIT cut before it arrived',
] as const;
export type LineFault = (typeof LINE_FAULTS)[number];

export interface Harm {
  /** How often each kind struck. */
  readonly fired: ReadonlyMap<string, number>;
  /** Ends it and heals everything. */
  stop(): Promise<void>;
}

export interface LineFaultOptions {
  readonly proxies: Environment['proxies'];
  readonly seed: number;
  /** Between two faults: shortest and longest. */
  readonly pauseMs: { readonly least: number; readonly most: number };
}

const SHORTEST_MS = 200;
const LONGEST_MS = 1_200;
/** A fault that waits for something to pass does so for this long. */
const STRIKES_WITHIN_MS = 4_000;
const LOOK_EVERY_MS = 20;

const FAULTS: Readonly<Record<LineFault, NetworkFault | 'cut'>> = {
  'slow line': { kind: 'slow', latencyMs: 80, bytesPerSecond: 200_000 },
  'sliced bytes': { kind: 'slow', sliceBytes: 16 },
  'half-open line': { kind: 'swallow' },
  'answers lost on an open line': { kind: 'swallow', direction: 'to_client' },
  'connections cut': 'cut',
  'cut in an answer': { kind: 'cut_after', direction: 'to_client', bytes: 300, times: 4 },
  'connections refused': { kind: 'refuse' },
  'COMMIT done, answer lost': commitFault('to_client', COMMIT_DONE, false),
  'COMMIT delivered, line cut': commitFault('to_server', COMMIT_ASKED, true),
  'COMMIT cut before it arrived': commitFault('to_server', COMMIT_ASKED, false),
};

/** Starts at once: every kind once a round, in a seeded order, each on one line. */
export function startLineFaults(options: LineFaultOptions): Harm {
  const fired = new Map<string, number>(LINE_FAULTS.map((kind) => [kind, 0]));
  const stopping = new AbortController();
  const running = harmLines(options, fired, stopping.signal);
  return {
    fired,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function harmLines(
  { proxies, seed, pauseMs }: LineFaultOptions,
  fired: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const random = createRandom(seed, 'lines');
  let lines: readonly Proxied[] = [];
  try {
    for (;;) {
      for (const kind of random.shuffled(LINE_FAULTS)) {
        await delay(random.between(pauseMs.least, pauseMs.most), undefined, { signal });
        if (lines.length === 0) lines = random.shuffled(PROXIED);
        const isCommit = kind.startsWith('COMMIT');
        const line = isCommit ? 'postgres' : (lines[0] ?? 'postgres');
        if (!isCommit) lines = lines.slice(1);
        const lastsMs = random.between(SHORTEST_MS, LONGEST_MS);
        const times = await harmOnce(proxies[line], { kind, lastsMs, signal });
        fired.set(kind, (fired.get(kind) ?? 0) + times);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** How often it struck. */
async function harmOnce(
  proxy: TcpProxy,
  fault: { readonly kind: LineFault; readonly lastsMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const { kind, lastsMs, signal } = fault;
  const before = strikesOf(proxy);
  const strikes = (): number => strikesOf(proxy) - before;
  try {
    strike(proxy, FAULTS[kind]);
    await delay(lastsMs, undefined, { signal });
    if (kind === 'connections cut') return strikes();
    const limits = { timeoutMs: STRIKES_WITHIN_MS, everyMs: LOOK_EVERY_MS };
    await becomesTrue(async () => signal.aborted || strikes() > 0, limits);
    return strikes();
  } finally {
    proxy.clearFaults();
  }
}

function strike(proxy: TcpProxy, fault: NetworkFault | 'cut'): void {
  if (fault === 'cut') proxy.cutNow();
  else proxy.harm(fault);
}

function strikesOf(proxy: TcpProxy): number {
  return Object.values(proxy.counts()).reduce((sum, count) => sum + count, 0);
}

function commitFault(
  direction: 'to_client' | 'to_server',
  pattern: Buffer,
  deliver: boolean,
): NetworkFault {
  return { kind: 'cut_on', direction, pattern, deliver, times: 2 };
}
