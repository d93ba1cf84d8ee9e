/** Harms the lines between the app and its servers, one fault at a time on each line. */
import { setTimeout as delay } from 'node:timers/promises';
import { COMMIT_ASKED, COMMIT_DONE } from './network-fault.ts';
import type { NetworkFault } from './network-fault.ts';
import { createRandom } from './random.ts';
import { PROXIED } from './rig.ts';
import type { Proxied, Rig } from './rig.ts';
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
  readonly proxies: Rig['proxies'];
  readonly seed: number;
  /** Between two faults on one line: shortest and longest. */
  readonly pauseMs: { readonly least: number; readonly most: number };
}

const SHORTEST_MS = 200;
const LONGEST_MS = 1_500;

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

/** Starts at once, one sequence per line. */
export function startLineFaults(options: LineFaultOptions): Harm {
  const fired = new Map<string, number>(LINE_FAULTS.map((kind) => [kind, 0]));
  const stopping = new AbortController();
  const runs = PROXIED.map((line) => harmLine(options, { line, fired, stopping }));
  return {
    fired,
    stop: async () => {
      stopping.abort();
      await Promise.all(runs);
    },
  };
}

interface Harmed {
  readonly line: Proxied;
  readonly fired: Map<string, number>;
  readonly stopping: AbortController;
}

/** Every kind in a seeded order, again and again. */
async function harmLine(options: LineFaultOptions, harmed: Harmed): Promise<void> {
  const { line, fired, stopping } = harmed;
  const proxy = options.proxies[line];
  const random = createRandom(options.seed, `line to ${line}`);
  const { signal } = stopping;
  const kinds = LINE_FAULTS.filter((kind) => line === 'postgres' || !kind.startsWith('COMMIT'));
  try {
    for (;;) {
      for (const kind of random.shuffled(kinds)) {
        const { least, most } = options.pauseMs;
        await delay(random.between(least, most), undefined, { signal });
        const before = strikesOf(proxy);
        strike(proxy, FAULTS[kind]);
        await delay(random.between(SHORTEST_MS, LONGEST_MS), undefined, { signal });
        proxy.heal();
        fired.set(kind, (fired.get(kind) ?? 0) + strikesOf(proxy) - before);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    proxy.heal();
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
  return { kind: 'cut_on', direction, pattern, deliver, times: 3 };
}
