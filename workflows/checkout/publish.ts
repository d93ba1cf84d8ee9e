/** Search attributes that a running workflow sets. */
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
