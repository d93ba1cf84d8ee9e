/** What operators did, written to the audit log in the transaction of the deed. Never free text. */
import type { Transaction } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import { trusted } from '../client/cast.ts';

/** Who acts: the API key, and the request it came with. */
export interface Operator {
  readonly apiKeyId: string;
  readonly correlationId: string;
}

/** Appends one deed, e.g. `subscription.paused` of `audit`. */
export async function recordAction(
  tx: Transaction,
  by: Operator,
  action: {
    readonly action: string;
    readonly subject: string;
    /** Ids and codes only: the log cannot be erased. */
    readonly data?: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  await tx.auditEntry.create({
    data: {
      actor: `operator/${by.apiKeyId}`,
      action: action.action,
      subject: action.subject,
      cause: by.correlationId,
      data: trusted<Prisma.InputJsonObject>(action.data ?? {}),
      at: new Date(),
    },
  });
}
