/**
 * Verifies a webhook of the payment provider: Stripe's signature over the raw bytes, then its
 * content. It stores nothing; events arrive in any order and twice, so a handler looks the intent up.
 */
import Stripe from 'stripe';
import { z } from 'zod';
import { isOrderId } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import { answerId, digestOf, jsonOrNull } from '../resilience/http.ts';
import { namedOrder } from './lookup.ts';
import { fromStripeAmount } from './money.ts';

type WebhookVerdict =
  | {
      readonly kind: 'verified';
      /** Constant over repeats of one event. */
      readonly id: string;
      /** E.g. `payment_intent.succeeded`; more types exist than the shop acts on. Null: it names none. */
      readonly type: string | null;
      readonly orderId: OrderId | null;
      /** What the event is about; null when that is no payment, or is not understood. */
      readonly about: PaymentReport | null;
      /** The message without the secret of a payment, which must not be stored. */
      readonly kept: Uint8Array<ArrayBuffer>;
    }
  | { readonly kind: 'rejected'; readonly reason: 'bad_signature' };

interface PaymentReport {
  /** The object itself, e.g. a dispute, and its id there. */
  readonly object: { readonly type: string; readonly id: string };
  /** The PaymentIntent; null when the object names none. */
  readonly reference: string | null;
  /** For a charge: the total refunded by then; else null. */
  readonly refundedMinor: number | null;
}

export type WebhookVerifier = (message: {
  readonly body: Uint8Array;
  /** The `Stripe-Signature` header; null when there was none. */
  readonly signature: string | null;
}) => WebhookVerdict;

/**
 * Verifies with one of the endpoint's secrets (`whsec_...`): Stripe signs with two during a rotation.
 * Tolerance 300 s as Stripe recommends, in both directions.
 */
export function createPaymentWebhookVerifier(secrets: readonly string[]): WebhookVerifier {
  const signer = Stripe.webhooks.signature;
  if (signer === null) throw new TypeError('this build of stripe cannot verify signatures');
  return ({ body, signature }) => {
    const isGenuine =
      signature !== null &&
      isRecent(signature) &&
      secrets.some((secret) => isSigned(() => signer.verifyHeader(body, signature, secret)));
    return isGenuine ? readEvent(body) : { kind: 'rejected', reason: 'bad_signature' };
  };
}

/** With the secret of a payment anybody could confirm it. All other bytes stay as they were signed. */
function withoutSecrets(body: Uint8Array): Uint8Array<ArrayBuffer> {
  // One character per byte, so that no other byte changes.
  const text = Buffer.from(body).toString('latin1');
  return new Uint8Array(Buffer.from(text.replaceAll(CLIENT_SECRET, '$1"not kept"'), 'latin1'));
}

const CLIENT_SECRET = /("client_secret"\s*:\s*)"[^"]*"/g;

const TOLERANCE_SECONDS = 300;

/** The library refuses old timestamps, but none of the future: those would be valid for ever. */
function isRecent(signature: string): boolean {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const times = [...signature.matchAll(/(?:^|,)\s*t=([^,]*)/g)].map(([, time]) => Number(time));
  return (
    times.length > 0 && times.every((time) => Math.abs(nowSeconds - time) <= TOLERANCE_SECONDS)
  );
}

/** `verify` throws when the signature does not match. */
function isSigned(verify: () => unknown): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) return false;
    throw error;
  }
}

/** The object of an event about a payment. Other objects, such as a balance, have no id. */
const subject = z.object({
  object: answerId,
  id: answerId,
  payment_intent: answerId.nullish(),
  amount_refunded: z.int().min(0).nullish(),
  currency: z.string().length(3).nullish(),
});
const envelope = z.object({
  id: answerId.nullable().catch(null),
  type: answerId.nullable().catch(null),
  data: z.object({ object: z.unknown() }).catch({ object: null }),
});

/** A genuine event is never refused: Stripe would repeat it for days, then disable the endpoint. */
function readEvent(body: Uint8Array): WebhookVerdict {
  const { data: event } = envelope.safeParse(jsonOrNull(body));
  const object = event?.data.object;
  const orderId = namedOrder(z.object({ metadata: z.unknown() }).safeParse(object).data?.metadata);
  return {
    kind: 'verified',
    id: event?.id ?? digestOf(body),
    type: event?.type ?? null,
    orderId: orderId !== null && isOrderId(orderId) ? orderId : null,
    about: readReport(object),
    kept: withoutSecrets(body),
  };
}

function readReport(object: unknown): PaymentReport | null {
  const about = subject.safeParse(object).data;
  if (about === undefined) return null;
  const isIntent = about.object === 'payment_intent';
  return {
    object: { type: about.object, id: about.id },
    reference: isIntent ? about.id : (about.payment_intent ?? null),
    refundedMinor: refundedMinor(about),
  };
}

function refundedMinor({ currency, amount_refunded: refunded }: z.infer<typeof subject>) {
  if (typeof refunded !== 'number' || typeof currency !== 'string') return null;
  return fromStripeAmount(refunded, currency);
}
