/** What operators see of a running workflow: the search attributes that it sets, the order's page. */
import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { SEARCH_ATTRIBUTES } from './contract.ts';

/**
 * Sets search attributes. A workflow that was started without any sets none: the server had refused
 * them (temporal/start.ts) and would fail each task that sets one.
 */
export function publish(attributes: Parameters<typeof upsertSearchAttributes>[0]): void {
  const { typedSearchAttributes } = workflowInfo();
  if (typedSearchAttributes.get(SEARCH_ATTRIBUTES.needsAttention) === undefined) return;
  upsertSearchAttributes(attributes);
}

/** The order's page in the console; null when the workflow was started without it. */
export function consolePageOfOrder(): string | null {
  const url = workflowInfo().memo?.['consoleUrl'];
  return typeof url === 'string' ? url : null;
}
