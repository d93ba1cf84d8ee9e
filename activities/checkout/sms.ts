/**
 * Text messages to the customer, beside the e-mail about the same: only with consent, only to a number in
 * E.164, and only when a provider is configured. A new kind is a name in domain/ids.ts, its texts in
 * messages/, and the call of `notify` where it is due.
 */
import type { OrderId, SmsKind } from '../../domain/ids.ts';
import { smsNumberOf } from '../../domain/phone.ts';
import type { SendOutcome } from '../../gateways/mail/mailer.ts';
import { findSmsConsent, type NotifiableOrder } from '../../prisma/orders/orders.ts';
import { rejectedRequest } from '../failures.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { composeSms } from './messages/compose.ts';

/** True when the customer of the order gets an SMS. */
export async function isTextDue(
  { db, sms }: Pick<ActivityDependencies, 'db' | 'sms'>,
  orderId: OrderId,
): Promise<boolean> {
  if (sms === null) return false;
  const customer = await findSmsConsent(db, orderId);
  return customer !== null && smsNumberOf(customer) !== null;
}

/** Anybody can ask for a notification in the Web UI: without consent none is sent. */
export async function sendText(
  { sms, shop }: ActivityDependencies,
  { order, shipment }: NotifiableOrder,
  kind: SmsKind,
): Promise<SendOutcome> {
  const to = smsNumberOf(order.customer);
  if (to === null) throw rejectedRequest('SMS', 'no_consent');
  if (sms === null) return NO_PROVIDER;
  return sms.send({ to, body: composeSms(shop, order, { kind, shipment }) });
}

/** Another worker may have one, such as during a deploy. */
const NO_PROVIDER: SendOutcome = {
  kind: 'unavailable',
  reason: 'this worker has no SMS provider',
  retryAfterMs: 60_000,
};
