/** The refund workflows over Temporal's client. Every call has a deadline and is safe to repeat. */
import type { Client } from '@temporalio/client';
import {
  REFUND_WORKFLOW,
  refundStartOptions,
  retryRefundSignal,
} from '../workflows/refund-contract.ts';
import { createAskTemporal, unlessThere } from './ask-temporal.ts';
import type { Refunds } from './refunds.ts';

const START_DEADLINE_MS = 5_000;

/** `client` is null while there is no connection yet. */
export function createTemporalRefunds(options: { readonly client: () => Client | null }): Refunds {
  const ask = createAskTemporal(options.client);
  const unavailable = { kind: 'unavailable' } as const;
  return {
    async start(refund) {
      const answered = await ask(START_DEADLINE_MS, async ({ workflow }) => {
        const begun = await unlessThere(
          workflow.start(REFUND_WORKFLOW, refundStartOptions(refund)),
        );
        return { kind: begun ? 'started' : 'already_started' } as const;
      });
      return answered ?? unavailable;
    },
    async retry(refund) {
      const answered = await ask(START_DEADLINE_MS, async ({ workflow }) => {
        const sent = workflow.signalWithStart(REFUND_WORKFLOW, {
          ...refundStartOptions(refund),
          signal: retryRefundSignal,
        });
        return { kind: (await unlessThere(sent)) ? 'begun' : 'not_waiting' } as const;
      });
      return answered ?? unavailable;
    },
  };
}
