/**
 * Payments with Stripe's PaymentIntents and manual capture. Every call that moves money carries the
 * intent's own key; because Stripe deletes keys after 24 hours, each call is also safe without: an
 * old authorization and every refund are looked up first.
 */
import type { OrderId } from '../../domain/ids.ts';
import { Inconclusive } from '../resilience/faults.ts';
import { createGuard } from '../resilience/guard.ts';
import { PAYMENT_LIMITS } from '../resilience/limits.ts';
import type { PaymentLimits } from '../resilience/limits.ts';
import { ProviderRejection } from '../resilience/outcome.ts';
import type { BreakerListener } from '../resilience/outcome.ts';
import type {
  AuthorizeOutcome,
  AuthorizeRequest,
  PaymentGateway,
  PaymentLookup,
} from '../payments.ts';
import { listCases, lookUpCase } from './cases.ts';
import { listPayments, listRefunds } from './list.ts';
import { parseResponse, createStripeClient, inconclusive } from './client.ts';
import type { StripeAccess, StripeCall, StripeRefusal } from './client.ts';
import {
  actionOf,
  captureBeforeOf,
  declineCodeOf,
  findIntent,
  orderAgeMs,
  readIntent,
  referenceOf,
  retrieveIntent,
  stateOf,
} from './lookup.ts';
import { limitsOf, toStripeAmount } from './money.ts';
import { listRefundsOf, lookUpRefund, refund } from './refunds.ts';
import { capture, voidAuthorization } from './settle.ts';

export interface StripePaymentsOptions extends StripeAccess {
  /** `if_available`: ask for a hold of up to 30 days. Others are of about seven. */
  readonly extendedAuthorization?: ExtendedAuthorization | undefined;
  readonly limits?: PaymentLimits | undefined;
  readonly onBreakerChange?: BreakerListener | undefined;
}

type ExtendedAuthorization = 'never' | 'if_available';

/** Opens nothing until the first call. Throws TypeError when `apiUrl` is no URL. */
export function createStripePayments(options: StripePaymentsOptions): PaymentGateway {
  const stripe = createStripeClient(options);
  const limits = options.limits ?? PAYMENT_LIMITS;
  const extended = options.extendedAuthorization ?? 'never';
  const group = (name: keyof PaymentLimits) => {
    const guard = createGuard({
      name: `payments.${name}`,
      ...limits[name],
      onChange: options.onBreakerChange,
    });
    const timeoutMs = limits[name].deadlineMs;
    const run = <T>(work: (call: StripeCall) => Promise<T>, wanted?: AbortSignal) =>
      guard.run((signal) => work({ stripe, timeoutMs, signal }), wanted);
    return { run, refusal: guard.refusal, view: guard.view };
  };
  const authorizing = group('authorize');
  const finding = group('find');
  const looking = group('lookup');
  const settling = group('settle');

  return {
    limitsOf,
    authorize: (request) =>
      authorizing.run((call) => authorize(call, { ...request, extended }), request.signal),
    authorizeUnavailable: () => authorizing.refusal(),
    lookUp: ({ orderId, reference, signal }) =>
      reference === null
        ? finding.run((call) => find(call, orderId), signal)
        : looking.run((call) => look(call, reference), signal),
    lookUpReference: (reference) => looking.run((call) => look(call, reference)),
    capture: (request) => settling.run((call) => capture(call, request)),
    voidAuthorization: (request) => settling.run((call) => voidAuthorization(call, request)),
    refund: (request) => settling.run((call) => refund(call, request)),
    lookUpRefund: (reference) => looking.run((call) => lookUpRefund(call, reference)),
    listRefundsOf: (reference) => looking.run((call) => listRefundsOf(call, reference)),
    listPayments: (window) => looking.run((call) => listPayments(call, window)),
    listRefunds: (window) => looking.run((call) => listRefunds(call, window)),
    lookUpCase: (request) => looking.run((call) => lookUpCase(call, request)),
    listCases: (window) => looking.run((call) => listCases(call, window)),
    breakers: () => [authorizing, finding, looking, settling].map(({ view }) => view()),
  };
}

const ABSENT = { kind: 'absent' } as const;
/** The provider responded, so this unknown does not count towards opening the breaker. */
const UNKNOWN_OUTCOME = {
  kind: 'unknown',
  reason: 'the payment provider does not say yet whether it has the payment',
} as const;

/** Stripe keeps a key for at least 24 hours. An hour less, since clocks differ. */
const KEY_TRUSTED_MS = 23 * 3_600_000;

type Authorization = AuthorizeRequest & { readonly extended: ExtendedAuthorization };

async function authorize(call: StripeCall, request: Authorization): Promise<AuthorizeOutcome> {
  const work = async (): Promise<AuthorizeOutcome> => {
    const isKeyExpired = orderAgeMs(request.orderId) > KEY_TRUSTED_MS;
    const known = isKeyExpired ? await findIntent(call, request.orderId) : ABSENT;
    if (known.kind === 'unsure') return UNKNOWN_OUTCOME;
    const intent = known.kind === 'found' ? known.intent : await createIntent(call, request);
    return readAuthorization(intent);
  };
  try {
    return await parseResponse(work, readAuthorizeRefusal);
  } catch (error) {
    // The key was sent with other parameters, as by an earlier version: that request may have succeeded.
    if (error instanceof ProviderRejection) return { kind: 'unknown', reason: error.message };
    throw error;
  }
}

/** Whether the hold is longer is in its charge: https://docs.stripe.com/payments/extended-authorization */
const EXTENDED = {
  payment_method_options: { card: { request_extended_authorization: 'if_available' } },
} as const;

function createIntent({ stripe, timeoutMs, signal }: StripeCall, request: Authorization) {
  signal.throwIfAborted();
  return stripe.paymentIntents.create(
    {
      amount: toStripeAmount(request.amount),
      currency: request.amount.currency.toLowerCase(),
      payment_method: request.paymentMethod,
      confirm: true,
      capture_method: 'manual',
      metadata: { order_id: request.orderId },
      // The charge has the end of the authorization.
      expand: ['latest_charge'],
      // Stripe's script on the shop's page lets the shopper confirm the payment there
      // (https://docs.stripe.com/payments/finalize-payments-on-the-server). No other redirects.
      use_stripe_sdk: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      ...(request.extended === 'if_available' && EXTENDED),
    },
    { idempotencyKey: request.key, timeout: timeoutMs },
  );
}

function readAuthorization(intent: Parameters<typeof readIntent>[0]): AuthorizeOutcome {
  const reference = referenceOf(intent);
  switch (stateOf(intent)) {
    case 'authorized':
    case 'captured':
      return { kind: 'authorized', reference, captureBefore: captureBeforeOf(intent) };
    case 'processing':
      throw new Inconclusive('still_processing');
    case 'action_required':
      return { kind: 'action_required', reference, action: actionOf(intent) };
    case 'declined':
    case 'voided':
      return { kind: 'declined', code: declineCodeOf(intent), reference };
  }
}

/** Refusals that another payment method or amount may avoid: they are declines. */
const SHOPPER_CODES: readonly string[] = ['amount_too_small', 'amount_too_large'];
const PAYMENT_METHOD = /^payment_method/;

/** Every other refusal is about our request, such as a currency that the account cannot charge. */
function readAuthorizeRefusal(refusal: StripeRefusal): AuthorizeOutcome {
  const { code, declined, intent, param } = refusal;
  const isShoppers = PAYMENT_METHOD.test(param ?? code) || SHOPPER_CODES.includes(code);
  if (!declined && !isShoppers) return { kind: 'refused', code };
  return { kind: 'declined', code, reference: intent?.id ?? null };
}

/** By reference: a payment unknown to Stripe was never made there (or with another account). */
function look(call: StripeCall, reference: string): Promise<PaymentLookup> {
  return parseResponse<PaymentLookup>(
    async () => ({ kind: 'found', payment: readIntent(await retrieveIntent(call, reference)) }),
    ({ code }) => {
      if (code === 'resource_missing') return { kind: 'absent' };
      throw new ProviderRejection('payments', code);
    },
  );
}

/** By order: a refusal to list or search says nothing about the order. */
function find(call: StripeCall, orderId: OrderId): Promise<PaymentLookup> {
  return parseResponse<PaymentLookup>(async () => {
    const known = await findIntent(call, orderId);
    if (known.kind === 'unsure') return UNKNOWN_OUTCOME;
    return known.kind === 'found' ? { kind: 'found', payment: readIntent(known.intent) } : ABSENT;
  }, inconclusive);
}
