/** What became of payments that the shopper had to confirm, as the processes that settled them see it. */
import { Counter } from 'prom-client';

/** By this process. The metrics of the API show it. */
export const settledActions = new Counter({
  name: 'holdfast_payment_actions_total',
  help: 'Orders that waited for the shopper to confirm the payment, by how the wait ended.',
  labelNames: ['outcome'] as const,
  registers: [],
});
