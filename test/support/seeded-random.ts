/** Randomness that can be repeated: prints its seed, and takes it back from `HOLDFAST_SEED`. */
import { randomInt } from 'node:crypto';
import { environment } from '../../config.ts';
import { createRandom, type Random } from '../../tools/random.ts';

export function createSeededRandom(): Random {
  const seed = Number(environment()['HOLDFAST_SEED'] ?? randomInt(1, 2 ** 31));
  process.stdout.write(`HOLDFAST_SEED=${seed}\n`);
  return createRandom(seed, 'tests');
}
