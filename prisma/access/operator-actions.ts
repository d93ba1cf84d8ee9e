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
      actor: actorOf(by),
      action: action.action,
      subject: action.subject,
      cause: by === 'system' ? null : by.correlationId,
      data: writeObject(action.data ?? {}),
    },
  });
}

/** Appends the same action on each of the subjects, without data. Raw: one statement, however many. */
export async function recordActions(
  tx: Transaction,
  by: Operator,
  { action, subjects }: { readonly action: string; readonly subjects: readonly string[] },
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO audit_log (actor, action, subject, cause, data)
    SELECT ${actorOf(by)}, ${action}, subject, ${by.correlationId}, '{}'::jsonb
    FROM unnest(${[...subjects]}::text[]) AS subject`;
}

function actorOf(by: Operator | 'system'): string {
  return by === 'system' ? by : `operator/${by.apiKeyId}`;
}
