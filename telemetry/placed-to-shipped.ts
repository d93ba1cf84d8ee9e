/** How long orders take, as the processes that ship them see it. */
import { Histogram } from 'prom-client';

/** Seconds when all is well, days when a warehouse is. */
const BUCKETS_SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];

/** By this process. The metrics of the API show it. */
export const placedToShipped = new Histogram({
  name: 'holdfast_placed_to_shipped_seconds',
  help: 'Time from the acceptance of an order to its shipment.',
  buckets: BUCKETS_SECONDS,
  registers: [],
});
