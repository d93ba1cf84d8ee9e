import { SEAMS } from '../../../tools/failpoints/failpoints.ts';
import { isWithdrawal } from './points.ts';
import { sweep } from './sweep.ts';

/** Before a COMMIT, and after it: nobody has heard of it yet. */
sweep(SEAMS.filter((seam) => seam.startsWith('commit.') && !isWithdrawal(seam)));
