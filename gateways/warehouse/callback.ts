/**
 * Verifies a warehouse callback: Standard Webhooks signature over the raw bytes, then its content. It
 * stores nothing; the inbox recognizes repeats.
 */
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { z } from 'zod';
import { isOrderId } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import { isForeignId } from '../../domain/text.ts';
import { answerId, answerLine, digestOf, errorCode, jsonOrNull } from '../resilience/http.ts';
import type { ShipmentState } from './warehouse.ts';

/** The outcome of a shipping request, as a callback reports it. */
export interface ShipmentCallback {
  readonly correlationId: string;
  readonly orderId: OrderId;
  readonly answer: Extract<ShipmentState, { kind: 'shipped' | 'refused' }>;
}

export type CallbackVerdict =
  | { readonly kind: 'verified'; readonly id: string; readonly answer: ShipmentCallback }
  /** Signed, and outside of the contract: acknowledge it, or the sender repeats it for days. */
  | {
      readonly kind: 'not_understood';
      readonly id: string;
      /** The type that it names; null when it names none. */
      readonly type: string | null;
      /** The order whose shipping it may answer; null when it is no answer, or names no order. */
      readonly orderId: OrderId | null;
    }
  | { readonly kind: 'rejected'; readonly reason: 'bad_signature' };

interface SignedMessage {
  /** The raw bytes: parsed and serialized again they would not match the signature. */
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export type CallbackVerifier = (message: SignedMessage) => CallbackVerdict;

/**
 * Verifies with one of the shared secrets (`whsec_...`; two during a rotation), tolerance 300 s in both
 * directions, as the Standard Webhooks specification says. One of the message's signatures must match.
 * `id` is the `webhook-id`, constant over repeats. Throws when a secret is not base64.
 */
export function createCallbackVerifier(secrets: readonly string[]): CallbackVerifier {
  const webhooks = secrets.map((secret) => new Webhook(secret));
  return ({ body, headers }) => {
    const bytes = Buffer.from(body);
    const isGenuine = webhooks.some((webhook) => isSigned(webhook, bytes, headers));
    if (!isGenuine) return { kind: 'rejected', reason: 'bad_signature' };
    const id = idOf(headers);
    const json = jsonOrNull(bytes);
    const answer = readCallback(json);
    if (answer !== null) return { kind: 'verified', id, answer };
    return { kind: 'not_understood', id, ...readUnclear(json) };
  };
}

function isSigned(webhook: Webhook, bytes: Buffer, headers: SignedMessage['headers']): boolean {
  try {
    webhook.verify(bytes, { ...headers }, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

const ids = { correlation_id: answerId, order_id: z.string().refine(isOrderId) };
const callback = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('shipment.shipped'),
    data: z.object({ ...ids, carrier: answerLine, tracking_number: answerLine }),
  }),
  z.object({
    type: z.literal('shipment.refused'),
    data: z.object({ ...ids, reason: z.string() }),
  }),
]);
const ANSWER_TYPES: readonly string[] = ['shipment.shipped', 'shipment.refused'];

/** The order of an answer, from whichever of its two ids can be read. */
function readUnclear(body: unknown): { type: string | null; orderId: OrderId | null } {
  const type = z.object({ type: answerId }).safeParse(body).data?.type;
  if (type === undefined || !ANSWER_TYPES.includes(type)) {
    return { type: type ?? null, orderId: null };
  }
  const data = z.object({ data: z.record(z.string(), z.unknown()) }).safeParse(body).data?.data;
  const [correlated] = String(data?.['correlation_id']).split('.');
  const named = [data?.['order_id'], correlated].filter((each) => typeof each === 'string');
  return { type, orderId: named.find(isOrderId) ?? null };
}

function readCallback(body: unknown): ShipmentCallback | null {
  const result = callback.safeParse(body);
  if (!result.success) return null;
  const { type, data } = result.data;
  const { correlation_id: correlationId, order_id: orderId } = data;
  if (!isOrderId(orderId)) return null;
  if (type === 'shipment.refused') {
    const reason = errorCode('unspecified', data.reason);
    return { correlationId, orderId, answer: { kind: 'refused', reason } };
  }
  const { carrier, tracking_number: trackingNumber } = data;
  return { correlationId, orderId, answer: { kind: 'shipped', carrier, trackingNumber } };
}

function idOf(headers: Readonly<Record<string, string>>): string {
  const entry = Object.entries(headers).find(([name]) => name.toLowerCase() === 'webhook-id');
  if (entry === undefined) throw new TypeError('a verified message has a webhook-id');
  return isForeignId(entry[1]) ? entry[1] : digestOf(entry[1]);
}
