/** Dead letters on the wire, and the problems of refused decisions. */
import type { DeadLetter } from '../../prisma/events/dead-letters.ts';
import type { Problem } from '../http/problems.ts';
import type { RedriveOutcome } from '../../services/redrive.ts';
import { jsonPointer } from '../http/validation.ts';
import type { DeadLetterBody } from '../schemas/dead-letters.ts';

const TEMPORAL_RETRY_SECONDS = 5;

export function deadLetterBody(deadLetter: DeadLetter): DeadLetterBody {
  return {
    object: 'dead_letter',
    id: deadLetter.id,
    source: deadLetter.source,
    subject: deadLetter.subject,
    order_id: deadLetter.orderId,
    event_id: deadLetter.eventId,
    message: { ...deadLetter.message },
    error: deadLetter.error,
    fingerprint: deadLetter.fingerprint,
    retry_count: deadLetter.retryCount,
    first_failed_at: deadLetter.firstFailedAt,
    last_failed_at: deadLetter.lastFailedAt,
    status: deadLetter.status,
    actor: deadLetter.actor,
    note: deadLetter.note,
    decided_at: deadLetter.decidedAt,
    created_at: deadLetter.createdAt,
  };
}

export function refusedDecision(outcome: Exclude<RedriveOutcome, { kind: 'redriven' }>): Problem {
  switch (outcome.kind) {
    case 'not_found':
      return { code: 'dead_letter_not_found', detail: 'No dead letter has this id.' };
    case 'not_open': {
      const { status, actor } = outcome.deadLetter;
      const detail = `The dead letter was already ${status}${actor === null ? '' : ` by ${actor}`}.`;
      return { code: 'dead_letter_not_open', detail, members: { dead_letter_status: status } };
    }
    case 'not_applicable': {
      const detail = 'Only the step of a checkout can be skipped or cancelled.';
      const errors = [{ detail, pointer: jsonPointer(['action']) }];
      return { code: 'invalid_request', detail, errors };
    }
    case 'not_waiting':
      return {
        code: 'step_not_waiting',
        detail: 'No step is waiting for this decision; the dead letter is unchanged.',
      };
    case 'unavailable':
      return {
        code: 'checkout_unavailable',
        detail:
          'Nothing was retried, and the dead letter is still open. Send the decision again later.',
        retryAfterSeconds: TEMPORAL_RETRY_SECONDS,
      };
    case 'rejected':
      return {
        code: 'checkout_unavailable',
        detail:
          'Nothing was retried: Temporal refuses the workflow. The dead letter is still open.',
      };
  }
}
