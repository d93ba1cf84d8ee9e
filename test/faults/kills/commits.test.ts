import { SEAMS } from '../../../tools/failpoints/failpoints.ts';
import { isCancellation } from './points.ts';
import { sweep } from './sweep.ts';

/** Before a COMMIT, and after it, before its result is used. */
sweep(SEAMS.filter((seam) => seam.startsWith('commit.') && !isCancellation(seam)));
