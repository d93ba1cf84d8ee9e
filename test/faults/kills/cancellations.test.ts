import { SEAMS } from '../../../tools/failpoints/failpoints.ts';
import { isCancellation } from './points.ts';
import { sweep } from './sweep.ts';

/** During a cancellation, while the parcel is packed: a refunded parcel must not leave. */
sweep(SEAMS.filter(isCancellation), { parcelsLeaveAfterMs: 600_000 });
