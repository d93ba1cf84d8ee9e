/** Cases at the payment provider that are of no payment of ours, as this process sees them. */
import { Counter } from 'prom-client';

/** By this process. The metrics of the API show it. */
export const ignoredCases = new Counter({
  name: 'holdfast_payment_cases_ignored_total',
  help: 'Disputes, fraud warnings and reviews of payments that are not ours.',
  labelNames: ['kind'] as const,
  registers: [],
});
