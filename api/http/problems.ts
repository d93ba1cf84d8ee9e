/**
 * All errors of the API: the table from code to status and title, and their form on the wire
 * (RFC 9457). Messages of caught errors never get here.
 */
import type { ContentfulStatusCode } from 'hono/utils/http-status';

export const PROBLEMS = {
  malformed_json: [400, 'The body is not valid JSON.'],
  unknown_parameter: [400, 'The call has no query parameter of this name.'],
  idempotency_key_required: [
    400,
    'This call requires an Idempotency-Key header of 1 to 255 characters.',
  ],
  unauthorized: [401, 'A valid API key is required.'],
  invalid_signature: [401, 'The signature does not match the body.'],
  payment_declined: [402, 'The payment was declined.'],
  link_invalid: [403, 'The link was not made by this service for this file.'],
  forbidden: [403, 'The role of the API key does not allow this.'],
  not_found: [404, 'The resource does not exist.'],
  order_not_found: [404, 'The order does not exist.'],
  subscription_not_found: [404, 'The subscription does not exist.'],
  refund_not_found: [404, 'The refund does not exist.'],
  dead_letter_not_found: [404, 'The dead letter does not exist.'],
  endpoint_not_found: [404, 'The webhook endpoint does not exist.'],
  redrive_not_found: [404, 'The redrive does not exist.'],
  event_not_found: [404, 'The event does not exist.'],
  job_not_found: [404, 'The job does not exist.'],
  reconciliation_not_found: [404, 'The reconciliation does not exist.'],
  schedule_not_found: [404, 'The schedule does not exist.'],
  product_not_found: [404, 'The product does not exist.'],
  customer_not_found: [404, 'The customer does not exist.'],
  method_not_allowed: [405, 'The resource does not support this method.'],
  request_in_flight: [409, 'A request with the same Idempotency-Key is in progress.'],
  out_of_stock: [409, 'Some items are not available.'],
  price_changed: [409, 'The total differs from the expected one.'],
  credit_insufficient: [409, 'The customer has less store credit than the order is to spend.'],
  order_expired: [409, 'The order of this Idempotency-Key expired before it was paid.'],
  not_refundable: [409, 'The order cannot be refunded.'],
  not_cancellable: [409, 'The order can no longer be cancelled.'],
  stock_not_available: [409, 'The units are held for orders or not in stock.'],
  rewind_ahead: [409, 'The subscription has not delivered the events of that time.'],
  dead_letter_not_open: [409, 'The dead letter is not open.'],
  decision_required: [409, 'An order or a refund waits for a decision about the dead letter.'],
  step_not_waiting: [409, 'No step of the order is waiting for this decision.'],
  endpoint_disabled: [409, 'The webhook endpoint is disabled.'],
  too_many_endpoints: [409, 'The maximum number of webhook endpoints is reached.'],
  email_taken: [409, 'A customer with this e-mail is registered.'],
  orders_under_way: [409, 'Orders of the person are under way.'],
  job_ended: [409, 'The job has ended.'],
  job_not_awaiting_approval: [409, 'The job does not wait for approval.'],
  job_not_resumable: [409, 'The job cannot be resumed.'],
  too_many_jobs: [409, 'The maximum number of open jobs is reached.'],
  redrive_in_progress: [409, 'A redrive is already in progress.'],
  link_expired: [410, 'The link has expired.'],
  precondition_failed: [412, 'The resource does not have the expected version.'],
  payload_too_large: [413, 'The body is too large.'],
  unsupported_media_type: [
    415,
    'The body has a media type or a content coding that the call does not take.',
  ],
  invalid_request: [422, 'Parts of the request are not valid.'],
  payment_refused: [422, 'The payment provider refused the payment.'],
  refund_exceeds_captured: [422, 'The amount exceeds what can still be refunded.'],
  idempotency_key_reused: [422, 'The Idempotency-Key was used for another request.'],
  too_many_requests: [429, 'Too many requests of this kind.'],
  internal_error: [500, 'Internal error.'],
  overloaded: [503, 'The service is overloaded.'],
  database_unavailable: [503, 'The database is unavailable.'],
  too_many_streams: [503, 'The maximum number of event streams is reached.'],
  payment_unavailable: [503, 'The payment provider is unavailable.'],
  cancel_undecided: [503, 'The cancellation is not decided yet.'],
  delivery_unavailable: [503, 'The workflow service is unavailable.'],
  checkout_unavailable: [503, 'The workflow service is unavailable.'],
  schedules_unavailable: [503, 'The workflow service is unavailable.'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One invalid part of the request and its location. `pointer` (RFC 6901) points into the body. */
export interface FieldError {
  readonly detail: string;
  readonly pointer?: string;
  readonly parameter?: string;
  readonly header?: string;
}

export interface Problem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  /** The same request may succeed after this many seconds. */
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Extension members of the problem, e.g. `decline_code`. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Ends a request with a problem. Thrown only at the HTTP edge. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code);
    this.problem = problem;
  }
}

/** Parts of the request are wrong, each named with its place. */
export function invalidRequest(errors: readonly FieldError[]): Problem {
  const detail = 'Some values are invalid; `errors` lists them.';
  return { code: 'invalid_request', detail, errors };
}

/** The URL of a problem's description, served at /docs/errors. */
export function problemType(code: ProblemCode): string {
  return `/docs/errors#${code}`;
}

/** The body as sent. */
export function problemBody(problem: Problem, requestId: string): string {
  const [status, title] = PROBLEMS[problem.code];
  return JSON.stringify({
    type: problemType(problem.code),
    title,
    status,
    detail: problem.detail,
    code: problem.code,
    request_id: requestId,
    ...problem.members,
    ...(problem.retryAfterSeconds === undefined ? {} : { retryable: true }),
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
  });
}

/** The problem as an HTTP response. */
export function problemResponse(problem: Problem, requestId: string): Response {
  const headers = new Headers(problem.headers);
  headers.set('content-type', 'application/problem+json');
  headers.set('cache-control', 'no-store');
  if (problem.retryAfterSeconds !== undefined) {
    headers.set('retry-after', String(Math.max(1, Math.ceil(problem.retryAfterSeconds))));
  }
  const [status] = PROBLEMS[problem.code];
  return new Response(problemBody(problem, requestId), { status, headers });
}
