/** Data of events and records in words: amounts as money, codes as words, steps by their titles. */
import { html } from 'hono/html';
import { z } from 'zod';
import { stepTitle } from '../../domain/checkout-steps.ts';
import { refundOfNotification, smsKindOf } from '../../domain/ids.ts';
import type { Html } from './page.ts';
import { money, words } from './parts.ts';

export type Data = Readonly<Record<string, unknown>>;

/** An amount is in the currency that stands beside it. What is null is left out. */
export function facts(data: Data): readonly Html[] {
  return Object.entries(data)
    .filter(([name, value]) => name !== 'currency' && value !== null)
    .map(([name, value]) => fact(name, value, data));
}

function fact(name: string, value: unknown, { currency }: Data): Html {
  if (typeof value === 'number' && typeof currency === 'string' && name.endsWith('_minor')) {
    return html`<span class="data">${words(name.slice(0, -6))}: ${money(value, currency)}</span> `;
  }
  const text = (Array.isArray(value) ? value : [value]).map(textOf).join(', ');
  return html`<span class="data">${words(name)}: ${text}</span> `;
}

/** Of a line what is sent of it or goes back, of anything else its words. */
function textOf(value: unknown): string {
  const line = lineSchema.safeParse(value);
  if (line.success) {
    const { sku, quantity, reserved_quantity: reserved } = line.data;
    return reserved === undefined ? `${quantity} × ${sku}` : `${reserved} of ${quantity} × ${sku}`;
  }
  if (typeof value !== 'string') return JSON.stringify(value);
  const text = subjectTitle(value);
  return /^[a-z]+(?:_[a-z]+)+$/.test(text) ? words(text) : text;
}

const lineSchema = z.object({
  sku: z.string(),
  quantity: z.number(),
  reserved_quantity: z.number().optional(),
});

/** What a step or a message is called: `Ship the order`, `Notify: shipped, by SMS`, `refund`. */
export function subjectTitle(subject: string): string {
  const [, notified] = /^notify: (.*)$/.exec(subject) ?? [];
  if (notified !== undefined) return `Notify: ${messageTitle(notified)}`;
  const isStep = stepTitle(subject) !== subject;
  return isStep ? stepTitle(subject) : messageTitle(subject);
}

/** A message to the customer: `shipped`, `shipped, by SMS`, or `refund`, of which each has its own. */
export function messageTitle(notification: string): string {
  const sms = smsKindOf(notification);
  if (sms !== null) return `${words(sms)}, by SMS`;
  return refundOfNotification(notification) === null ? notification : 'refund';
}
