/** Dead letters and redrives on the wire, and the problems of refused decisions. */
import type { DeadLetterGroup } from '../../prisma/events/dead-letter-groups.ts';
import type { DeadLetter } from '../../prisma/events/dead-letters.ts';
import type { Redrive } from '../../prisma/events/redrives.ts';
import type { Problem } from '../http/problems.ts';
import type { DiscardOutcome, RedriveOutcome } from '../../services/redrive.ts';
import { jsonPointer } from '../http/validation.ts';
import type { DeadLetterBody, DeadLetterGroupBody, RedriveBody } from '../schemas/dead-letters.ts';

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

export function groupBody(group: DeadLetterGroup): DeadLetterGroupBody {
  return {
    object: 'dead_letter_group',
    fingerprint: group.fingerprint,
    source: group.source,
    subject: group.subject,
    error: group.error,
    open: group.open,
    first_failed_at: group.firstFailedAt.toISOString(),
    last_failed_at: group.lastFailedAt.toISOString(),
    samples: group.samples.map(({ id, orderId }) => ({ id, order_id: orderId })),
  };
}

export function progressBody(redrive: Redrive): RedriveBody {
  return {
    object: 'redrive',
    id: redrive.id,
    status: redrive.status,
    fingerprint: redrive.fingerprint,
    rate: redrive.ratePerSecond,
    dry_run: false,
    actor: redrive.actor,
    matching: redrive.matching,
    redriving: redrive.redriving,
    redriven: redrive.redriven,
    failed: redrive.failed,
    started_at: redrive.startedAt.toISOString(),
    updated_at: redrive.updatedAt.toISOString(),
    finished_at: redrive.finishedAt?.toISOString() ?? null,
  };
}

type Refused = Exclude<RedriveOutcome | DiscardOutcome, { kind: 'redriven' | 'discarded' }>;

export function refusedDecision(outcome: Refused): Problem {
  switch (outcome.kind) {
    case 'awaited':
      return {
        code: 'decision_required',
        detail:
          'An order or a refund waits for a decision about this dead letter. Redrive it; the step of ' +
          'a checkout can also be skipped or cancelled.',
      };
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
    case 'refund_failed':
      return {
        code: 'step_not_waiting',
        detail:
          'There is no refund that can be retried. Request a new one with ' +
          'POST /v1/orders/{id}/refunds, or pay in another way; then discard the dead letter.',
      };
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
