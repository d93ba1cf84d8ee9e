/** Seeded random numbers: the same seed and name give the same sequence on every machine. */
import { randomAt } from '../local/sandbox/random.ts';

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `low` up to and including `high`. */
  between(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** Throws RangeError for an empty list. */
  pick<T>(list: readonly T[]): T;
  shuffled<T>(list: readonly T[]): readonly T[];
}

/** One sequence per name, so that what one part draws does not shift what another draws. */
export function createRandom(seed: number, name: string): Random {
  const start = hash(seed, name);
  let draws = 0;
  const next = (): number => randomAt(start, draws++);
  const between = (low: number, high: number): number =>
    low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (list) => {
      const picked = list[between(0, list.length - 1)];
      if (picked === undefined) throw new RangeError('nothing to pick from');
      return picked;
    },
    shuffled: (list) =>
      list
        .map((item) => ({ item, rank: next() }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ item }) => item),
  };
}

/** FNV-1a over the name, begun at the seed. */
function hash(seed: number, name: string): number {
  let result = seed ^ 0x811c9dc5;
  for (const character of name) {
    result = Math.imul(result ^ character.charCodeAt(0), 0x01000193);
  }
  return result;
}
