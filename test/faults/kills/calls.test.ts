import { SEAMS } from '../../../tools/failpoints/failpoints.ts';
import { isCancellation } from './points.ts';
import { sweep } from './sweep.ts';

/** Before a call of another system, and after its effect: nothing of it is known here yet. */
sweep(SEAMS.filter((seam) => !seam.startsWith('commit.') && !isCancellation(seam)));
