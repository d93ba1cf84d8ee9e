/** Actions of operators and of retention, written to the audit log in the transaction of the action. Never free text. */
import type { Transaction } from '../client/client.ts';
import { writeObject } from '../client/columns.ts';

/** The API key that acts, and its request. */
export interface Operator {
  readonly apiKeyId: string;
  readonly correlationId: string;
}

interface Action {
  readonly action: string;
  readonly subject: string;
  /** Ids and codes only: the log cannot be erased. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Appends one action, e.g. `subscription.paused` of `audit`. */
export async function recordAction(
  tx: Transaction,
  by: Operator | 'system',
  action: Action,
): Promise<void> {
  await tx.auditEntry.create({
    data: {
      actor: actorOf(by),
      action: action.action,
      subject: action.subject,
      cause: by === 'system' ? null : by.correlationId,
      data: writeObject(action.data ?? {}),
    },
  });
}

/** Appends several actions. Raw: one statement, however many. */
export async function recordActions(
  tx: Transaction,
  by: Operator,
  actions: readonly Action[],
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO audit_log (actor, action, subject, cause, data)
    SELECT ${actorOf(by)}, action, subject, ${by.correlationId}, COALESCE(data, '{}')
    FROM jsonb_to_recordset(${JSON.stringify(actions)}::jsonb)
      AS each (action text, subject text, data jsonb)`;
}

function actorOf(by: Operator | 'system'): string {
  return by === 'system' ? by : `operator/${by.apiKeyId}`;
}
