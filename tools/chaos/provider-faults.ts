/** Arms the sandbox's faults in turn, at rates of a bad day. */
import { setTimeout as delay } from 'node:timers/promises';
import { OPERATIONS, PROVIDERS, type FaultSpec } from '../../local/sandbox/faults.ts';
import { createRandom, type Random } from '../random.ts';
import { createSandboxClient, type SandboxClient } from '../sandbox-client.ts';
import type { FaultInjector } from './connection-faults.ts';

/** Of the attempts at an operation that is armed; a hang holds a slot for its whole timeout. */
const CALL_FAULTS: readonly FaultSpec[] = [
  { mode: 'answer_lost', rate: 0.25 },
  { mode: 'fail_before', rate: 0.25 },
  { mode: 'hang', rate: 0.1 },
  { mode: 'down', rate: 0.15 },
  { mode: 'latency', rate: 0.3, latency_ms: 600 },
];
const MESSAGE_FAULTS: readonly FaultSpec[] = [
  { mode: 'duplicate', rate: 0.4 },
  { mode: 'late', rate: 0.3, latency_ms: 2_500 },
];
/** The kinds every run has to show. */
export const PROVIDER_FAULTS = [...CALL_FAULTS, ...MESSAGE_FAULTS].map(({ mode }) => mode);

const PLACES = PROVIDERS.flatMap((provider) =>
  OPERATIONS[provider].map((operation) => ({
    place: `${provider}/${operation}`,
    faults: ['webhook', 'callback'].includes(operation) ? MESSAGE_FAULTS : CALL_FAULTS,
  })),
);
/** Of all operations, armed at one time. */
const ARMED_SHARE = 0.6;
const ROUND_MS = 2_000;
const CONTROL_TIMEOUT_MS = 1_500;

/** Starts at once. A sandbox that was just killed misses a round. */
export function startProviderFaults(url: string, seed: number): FaultInjector {
  const sandbox = createSandboxClient({ url, timeoutMs: CONTROL_TIMEOUT_MS });
  const fired = new Map<string, number>(PROVIDER_FAULTS.map((mode) => [mode, 0]));
  const stopping = new AbortController();
  const random = createRandom(seed, 'providers');
  const run = async (): Promise<void> => {
    for (let round = 0; !stopping.signal.aborted; round += 1) {
      await collect(sandbox, fired).catch(() => undefined);
      for (const [place, fault] of draw(random, round)) {
        await sandbox.arm(place, { ...fault, seed: seed + round }).catch(() => undefined);
      }
      await delay(ROUND_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    fired,
    stop: async () => {
      stopping.abort();
      await running;
      await collect(sandbox, fired).catch(() => undefined);
    },
  };
}

/** Each operation goes through its faults, beginning at another one. */
function draw(random: Random, round: number): readonly (readonly [string, FaultSpec])[] {
  return PLACES.filter(() => random.chance(ARMED_SHARE)).map(({ place, faults }, n) => [
    place,
    faults[(round + n) % faults.length] ?? { mode: 'down' },
  ]);
}

/** Adds up what has fired, then clears: counts end with the faults they belong to. */
async function collect(sandbox: SandboxClient, fired: Map<string, number>): Promise<void> {
  const faults = await sandbox.faults();
  await sandbox.clearFaults();
  for (const { mode, fired: count } of faults) fired.set(mode, (fired.get(mode) ?? 0) + count);
}
