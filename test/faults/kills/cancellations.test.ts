import { SEAMS } from '../../../tools/failpoints/failpoints.ts';
import { isCancellation } from './points.ts';
import { sweep } from './sweep.ts';

/** On the way of a cancel, while the parcel still lies there: it may not leave with its money back. */
sweep(SEAMS.filter(isCancellation), { parcelsLeaveAfterMs: 600_000 });
