/**
 * The ways in which an activity fails, and how long each is retried. No retry is without an end:
 *
 * - `outage`: our database or a provider is away. Retried for the budget of the step, which is days.
 * - `brief`: the same call probably fails in the same way again. Retried for some minutes, for what a
 *   deploy or a restart mends, then a person is asked.
 * - `final`: never retried.
 */

export type RetryClass = 'outage' | 'brief' | 'final';

export const RETRY_CLASS = {
  database_unavailable: 'outage',
  provider_unavailable: 'outage',
  provider_unknown_outcome: 'outage',
  subscriber_unknown: 'outage',
  job_type_unknown: 'outage',
  provider_answer_not_understood: 'brief',
  mail_unconfirmed: 'brief',
  unexpected_error: 'brief',
  order_not_found: 'final',
  refund_not_found: 'final',
  job_failed: 'final',
  forbidden_transition: 'final',
  order_cancelling: 'final',
  provider_rejected_request: 'final',
  authorization_expiring: 'final',
  captured_manually: 'final',
  shipment_held: 'final',
  not_cancellable: 'final',
  not_waiting: 'final',
  not_eligible: 'final',
  invalid_input: 'final',
} as const satisfies Readonly<Record<string, RetryClass>>;

/** The closed union of failure types. Workflows branch on these, never on messages. */
export type FailureType = keyof typeof RETRY_CLASS;

/** True for the name of a failure type. */
export function isFailureType(name: string): name is FailureType {
  return Object.hasOwn(RETRY_CLASS, name);
}

/** How long a failure of this type is retried; an unknown type is unexpected. */
export function retryClassOf(type: string | null | undefined): RetryClass {
  const name = type ?? '';
  return RETRY_CLASS[isFailureType(name) ? name : 'unexpected_error'];
}

/** Waits between the attempts at a call whose failure is `brief`: three minutes together. */
export const BRIEF_DELAYS_MS: readonly number[] = [
  1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000, 60_000,
];
