/**
 * The world outside the shop: the sandbox's faults, ledgers and inbox, and Temporal's Web UI. What
 * really happened is asked for here, never at the shop.
 */
import { z } from 'zod';
import type { Addresses } from '../../local/stack/addresses.ts';
import type { Fault } from './scenarios.ts';
import { ask, call } from './http.ts';

export interface Outside {
  /** Faults that would still strike, as `provider/operation`. */
  armed(): Promise<readonly string[]>;
  arm(fault: Fault): Promise<void>;
  /** Works after Ctrl-C too. */
  clearFaults(): Promise<void>;
  /** How often each effect happened to the order, per operation. Mails are not counted. */
  effects(orderId: string): Promise<Readonly<Record<string, number>>>;
  /** The Message-IDs of what arrived for the address, e.g. `<ord_....shipped@...>`. */
  mails(to: string): Promise<readonly string[]>;
  /** Where a person sees the workflow; null when the Web UI is not the stack's. */
  workflowPage(orderId: string): string | null;
  /** `completed`, `running`, ... or `none`; null when there is no Web UI to ask. */
  workflow(orderId: string): Promise<string | null>;
}

const faultsForm = z.object({
  faults: z.array(
    z.object({ provider: z.string(), operation: z.string(), times: z.number().optional() }),
  ),
});
const ledgerForm = z.object({
  effects: z.array(z.object({ operation: z.string(), order_id: z.string().nullable() })),
});
const inboxForm = z.object({ mails: z.array(z.object({ message_id: z.string() })) });
const workflowForm = z.object({
  workflowExecutionInfo: z.object({ status: z.string() }),
});

const NOT_FOUND = 404;

export function createOutside(addresses: Addresses, signal: AbortSignal): Outside {
  const { sandbox, temporalUi: ui, temporalNamespace } = addresses;
  const namespace = `namespaces/${encodeURIComponent(temporalNamespace)}`;
  const workflowPath = (orderId: string): string =>
    `${namespace}/workflows/${encodeURIComponent(`checkout/${orderId}`)}`;
  const get = <T>(path: string, form: z.ZodType<T>): Promise<T> =>
    ask({ url: `${sandbox}/${path}`, signal }, form);

  return {
    armed: async () => {
      const { faults } = await get('faults', faultsForm);
      return faults
        .filter(({ times }) => times !== 0)
        .map(({ provider, operation }) => `${provider}/${operation}`);
    },
    arm: async ({ place, mode, times }) => {
      const url = `${sandbox}/faults/${place}`;
      await ask({ url, method: 'PUT', body: { mode, times }, signal }, z.unknown());
    },
    clearFaults: async () => {
      await ask({ url: `${sandbox}/faults`, method: 'DELETE' }, z.unknown());
    },
    effects: async (orderId) => {
      const ledgers = await Promise.all([
        get('ledger/payments', ledgerForm),
        get('ledger/warehouse', ledgerForm),
      ]);
      const counts: Record<string, number> = {};
      for (const { operation, order_id } of ledgers.flatMap(({ effects }) => effects)) {
        if (order_id === orderId) counts[operation] = (counts[operation] ?? 0) + 1;
      }
      return counts;
    },
    mails: async (to) => {
      const { mails } = await get(`inbox?to=${encodeURIComponent(to)}`, inboxForm);
      return mails.map(({ message_id }) => message_id);
    },
    workflowPage: (orderId) => (ui === undefined ? null : `${ui}/${workflowPath(orderId)}`),
    workflow: async (orderId) => {
      if (ui === undefined) return null;
      const { status, body } = await call({ url: `${ui}/api/v1/${workflowPath(orderId)}`, signal });
      if (status === NOT_FOUND) return 'none';
      return stateOf(workflowForm.parse(body).workflowExecutionInfo.status);
    },
  };
}

/** `WORKFLOW_EXECUTION_STATUS_COMPLETED` is `completed`. */
function stateOf(status: string): string {
  return status.replace('WORKFLOW_EXECUTION_STATUS_', '').toLowerCase();
}
