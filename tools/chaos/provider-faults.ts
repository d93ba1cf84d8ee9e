/** Arms the sandbox's faults in turn: what providers do to a shop, at rates a bad day has. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Harm } from './line-faults.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';

/** The kinds every run has to show. */
export const PROVIDER_FAULTS = [
  'answer_lost',
  'fail_before',
  'hang',
  'down',
  'latency',
  'duplicate',
  'late',
] as const;
type Mode = (typeof PROVIDER_FAULTS)[number];

export interface ProviderFaultOptions {
  readonly sandbox: string;
  readonly seed: number;
}

const CALLS = [
  'payments/authorize',
  'payments/capture',
  'payments/void',
  'payments/refund',
  'payments/lookup',
  'warehouse/reserve',
  'warehouse/release',
  'warehouse/ship',
  'warehouse/cancel',
  'warehouse/lookup',
  'mail/send',
] as const;
const MESSAGES = ['payments/webhook', 'warehouse/callback'] as const;
const CALL_MODES = ['answer_lost', 'fail_before', 'hang', 'down', 'latency'] as const;
const MESSAGE_MODES = ['duplicate', 'late'] as const;

/** Of the attempts at an operation that is armed; a hang holds a slot for its whole deadline. */
const RATES: Readonly<Record<Mode, number>> = {
  answer_lost: 0.25,
  fail_before: 0.25,
  hang: 0.1,
  down: 0.15,
  latency: 0.3,
  duplicate: 0.4,
  late: 0.3,
};
const LATENCY_MS: Readonly<Partial<Record<Mode, number>>> = { latency: 600, late: 2_500 };
/** Of all operations, armed at one time. */
const ARMED_SHARE = 0.6;
const EACH_LASTS_MS = 2_000;
const CONTROL_TIMEOUT_MS = 1_500;

const faultsForm = z.object({
  faults: z.array(z.object({ mode: z.string(), fired: z.number() })),
});

/** Starts at once. A sandbox that is just being killed misses a turn. */
export function startProviderFaults({ sandbox, seed }: ProviderFaultOptions): Harm {
  const fired = new Map<string, number>(PROVIDER_FAULTS.map((mode) => [mode, 0]));
  const stopping = new AbortController();
  const random = createRandom(seed, 'providers');
  const run = async (): Promise<void> => {
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      await collect(sandbox, fired);
      for (const [place, mode] of drawTurn(random, turn)) {
        const body = { mode, rate: RATES[mode], seed: seed + turn, latency_ms: LATENCY_MS[mode] };
        await control(`${sandbox}/faults/${place}`, 'PUT', body);
      }
      await delay(EACH_LASTS_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    fired,
    stop: async () => {
      stopping.abort();
      await running;
      await collect(sandbox, fired);
    },
  };
}

/** Each operation goes through its modes, beginning at its own place in them. */
function drawTurn(random: Random, turn: number): (readonly [string, Mode])[] {
  const calls = CALLS.map((place, n) => [place, modeOf(CALL_MODES, turn + n)] as const);
  const messages = MESSAGES.map((place, n) => [place, modeOf(MESSAGE_MODES, turn + n)] as const);
  return [...calls, ...messages].filter(() => random.chance(ARMED_SHARE));
}

function modeOf(modes: readonly Mode[], n: number): Mode {
  return modes[n % modes.length] ?? 'fail_before';
}

/** Counts what has fired, then clears: counts end with the faults they belong to. */
async function collect(sandbox: string, fired: Map<string, number>): Promise<void> {
  const seen = faultsForm.safeParse(await control(`${sandbox}/faults`, 'GET'));
  if (!seen.success || (await control(`${sandbox}/faults`, 'DELETE')) === null) return;
  for (const { mode, fired: count } of seen.data.faults) {
    fired.set(mode, (fired.get(mode) ?? 0) + count);
  }
}

/** The sandbox's answer, or null when it gives none. */
async function control(url: string, method: string, body?: object): Promise<unknown> {
  try {
    const answer = await fetch(url, {
      method,
      signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
