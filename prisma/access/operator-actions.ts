/** Actions of operators and of retention, written to the audit log in the transaction of the action. Never free text. */
import type { Transaction } from '../client/client.ts';
import { writeObject } from '../client/columns.ts';

/** The API key that acts, and its request. */
export interface Operator {
  readonly apiKeyId: string;
  readonly correlationId: string;
}

/** Appends one action, e.g. `subscription.paused` of `audit`. */
export async function recordAction(
  tx: Transaction,
  by: Operator | 'system',
  action: {
    readonly action: string;
    readonly subject: string;
    /** Ids and codes only: the log cannot be erased. */
    readonly data?: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  await tx.auditEntry.create({
    data: {
      actor: by === 'system' ? by : `operator/${by.apiKeyId}`,
      action: action.action,
      subject: action.subject,
      cause: by === 'system' ? null : by.correlationId,
      data: writeObject(action.data ?? {}),
    },
  });
}
