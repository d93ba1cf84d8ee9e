/** What a reconciliation accepts. */
import { line, object, oneOf, optional } from '../schema.ts';
import type { ReconcileInput } from './contract.ts';

export const reconcileInput = object<ReconcileInput>({
  scope: oneOf(['recent', 'full']),
  reconciliationId: optional(line(100)),
});
