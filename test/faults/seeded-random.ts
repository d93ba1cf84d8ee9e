/** Chance that can be repeated: prints its seed; `HOLDFAST_SEED` gives it back. */
import { randomInt } from 'node:crypto';
import { environment } from '../../config.ts';

export interface SeededRandom {
  readonly seed: number;
  /** True with the given probability. */
  happens(probability: number): boolean;
  /** From 0 up to but not including `below`. */
  below(below: number): number;
  shuffled<T>(items: readonly T[]): T[];
}

export function createSeededRandom(): SeededRandom {
  const seed = Number(environment()['HOLDFAST_SEED'] ?? randomInt(1, 2 ** 31));
  process.stdout.write(`HOLDFAST_SEED=${seed}\n`);
  let state = seed;
  /** mulberry32. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    seed,
    happens: (probability) => next() < probability,
    below,
    shuffled: (items) => {
      const drawn = items.map((item) => ({ item, at: next() }));
      return drawn.toSorted((one, other) => one.at - other.at).map(({ item }) => item);
    },
  };
}
