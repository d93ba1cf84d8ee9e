/**
 * Every error the API can answer: one table from code to status and title, and the one way to put
 * it on the wire (RFC 9457). Messages of caught errors never get here.
 */
import type { ContentfulStatusCode } from 'hono/utils/http-status';

export const PROBLEMS = {
  malformed_json: [400, 'The body is not valid JSON.'],
  malformed_message: [400, 'The message is signed, but cannot be read.'],
  idempotency_key_required: [
    400,
    'This call needs an Idempotency-Key header of 1 to 255 characters.',
  ],
  unauthorized: [401, 'A valid API key is needed.'],
  invalid_signature: [401, 'The signature does not match the body.'],
  payment_declined: [402, 'The payment was declined.'],
  forbidden: [403, 'The API key has no right to do this.'],
  not_found: [404, 'There is nothing at this address.'],
  order_not_found: [404, 'There is no such order.'],
  subscription_not_found: [404, 'There is no such subscription.'],
  refund_not_found: [404, 'There is no such refund.'],
  dead_letter_not_found: [404, 'There is no such dead letter.'],
  endpoint_not_found: [404, 'There is no such webhook endpoint.'],
  event_not_found: [404, 'There is no such event.'],
  reconciliation_not_found: [404, 'There is no such reconciliation.'],
  product_not_found: [404, 'There is no such product.'],
  method_not_allowed: [405, 'The address exists, but not for this method.'],
  request_in_flight: [409, 'A request with the same Idempotency-Key is being worked on.'],
  out_of_stock: [409, 'Some lines cannot be delivered.'],
  price_changed: [409, 'The total is not what was expected.'],
  order_expired: [409, 'The order of this Idempotency-Key expired before it was paid.'],
  not_refundable: [409, 'Nothing of the order can be refunded.'],
  not_cancellable: [409, 'The order cannot be cancelled any more.'],
  stock_not_available: [409, 'The units are held for orders, or not there.'],
  dead_letter_not_open: [409, 'The dead letter was decided about already.'],
  step_not_waiting: [409, 'No step of the order waits for this decision.'],
  endpoint_disabled: [409, 'The webhook endpoint is disabled.'],
  too_many_endpoints: [409, 'There can be no more webhook endpoints.'],
  redrive_in_progress: [409, 'Dead letters are being redriven already.'],
  precondition_failed: [412, 'The resource is not at the expected version.'],
  payload_too_large: [413, 'The body is too large.'],
  unsupported_media_type: [415, 'The body has to be application/json.'],
  invalid_request: [422, 'Parts of the request are not valid.'],
  refund_exceeds_captured: [422, 'That is more than can still be given back.'],
  idempotency_key_reused: [422, 'The Idempotency-Key was used for another request.'],
  internal_error: [500, 'Internal error.'],
  overloaded: [503, 'The service has more to do than it can take on now.'],
  database_unavailable: [503, 'The service cannot reach its database.'],
  too_many_streams: [503, 'No more event streams can be opened now.'],
  payment_unavailable: [503, 'The payment provider gives no answer.'],
  cancel_undecided: [503, 'The cancellation is not decided yet.'],
  delivery_unavailable: [503, 'The service that carries events cannot be reached.'],
  checkout_unavailable: [503, 'The service that carries orders cannot be reached.'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One thing wrong with the request, and where (`pointer`: RFC 6901 into the body). */
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
  /** Trying the same again can succeed, after this many seconds. */
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Members of this kind of problem, e.g. `decline_code`. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Ends the handling of a request with a problem. Thrown at the HTTP edge only. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code);
    this.problem = problem;
  }
}

/** The address of a problem's description, served at /docs/errors. */
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

/** The problem as an HTTP answer. */
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
