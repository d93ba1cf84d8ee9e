/** An order's workflow as Temporal's Web UI shows it. */
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import { checkoutPage } from '../../domain/pages.ts';
import type { Addresses } from '../../local/stack/addresses.ts';
import { call } from '../http.ts';

export interface TemporalUi {
  /** The page of the workflow. */
  page(orderId: OrderId): string;
  /** `completed`, `running`, ... or `none`. */
  status(orderId: OrderId): Promise<string>;
}

const NOT_FOUND = 404;
const PREFIX = 'WORKFLOW_EXECUTION_STATUS_';
const schema = z.object({ workflowExecutionInfo: z.object({ status: z.string() }) });

/** Null when the stack was started without its own Temporal, whose Web UI is unknown. */
export function createTemporalUi(addresses: Addresses, signal: AbortSignal): TemporalUi | null {
  const { temporalUi, temporalNamespace: namespace } = addresses;
  if (temporalUi === undefined) return null;
  return {
    page: (orderId) => checkoutPage({ url: temporalUi, namespace }, orderId),
    status: async (orderId) => {
      const url = checkoutPage({ url: `${temporalUi}/api/v1`, namespace }, orderId);
      const { status, body } = await call({ url, signal });
      if (status === NOT_FOUND) return 'none';
      return schema.parse(body).workflowExecutionInfo.status.replace(PREFIX, '').toLowerCase();
    },
  };
}
