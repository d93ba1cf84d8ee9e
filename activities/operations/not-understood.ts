/** Records of a provider that are not understood: each is a discrepancy, so that a person compares it. */
import { log } from '@temporalio/activity';
import { notUnderstood } from '../../domain/reconciliation.ts';
import type { UnreadableRecord } from '../../gateways/resilience/outcome.ts';
import type { Database } from '../../prisma/client/client.ts';
import { recordDiscrepancy } from '../../prisma/operations/discrepancies.ts';
import { eachItem } from '../../telemetry/items.ts';
import { itemLoop } from '../items.ts';

/** The subject of records that do not even say which they are: one discrepancy per provider. */
export const NAMELESS_SUBJECTS = ['payments', 'warehouse'] as const;

interface Unreadable {
  readonly provider: (typeof NAMELESS_SUBJECTS)[number];
  readonly reason: string;
}

export async function recordNotUnderstood(
  db: Database,
  runId: string,
  record: UnreadableRecord & Unreadable,
): Promise<void> {
  const { provider, subject, orderId, reason } = record;
  log.warn('a record of a provider is not understood', { provider, subject, order_id: orderId });
  await recordDiscrepancy(db, runId, { ...notUnderstood(subject ?? provider, reason), orderId });
}

/** Records each. Returns how many could not be recorded. */
export async function recordEachNotUnderstood(
  db: Database,
  runId: string,
  listed: Unreadable & { readonly records: readonly UnreadableRecord[] },
): Promise<number> {
  const { records, ...unreadable } = listed;
  const idOf = ({ subject }: UnreadableRecord): string => subject ?? listed.provider;
  const failed = await eachItem(records, itemLoop('not_understood', idOf), (record) =>
    recordNotUnderstood(db, runId, { ...record, ...unreadable }),
  );
  return failed.length;
}
