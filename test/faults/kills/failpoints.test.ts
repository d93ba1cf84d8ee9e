import { SEAMS } from '../../../tools/failpoints/failpoints.ts';
import { CHALLENGE_KILLS, isCancellation } from './points.ts';
import { sweep } from './sweep.ts';

/**
 * Before a COMMIT, and after it, before its result is used. Before a call of another system, and after
 * its effect, of which nothing is recorded yet.
 */
sweep(
  SEAMS.filter((seam) => !isCancellation(seam)),
  { also: CHALLENGE_KILLS },
);
