/** The checkout's form: what it holds at first, how it is read, and the request it becomes. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { LANGUAGES, type Language } from '../../domain/language.ts';
import { problemIn } from './answer-words.ts';
import type { Cart, PlaceOrder } from './api.ts';
import type { Answer } from './connection.ts';
import type { BasketLine } from './basket.ts';
import { shippingOf } from './shipping.ts';
import { CARDS, NO_TROUBLE, TROUBLES, type Card, type Trouble } from './offers.ts';

const field = z.string().trim().max(200).default('');

/** Only the API says what is a valid address: the shop shows its words beside the fields. */
const formSchema = z.object({
  /** Made with the page, so that every press of this form's buttons is the same request. */
  key: z.uuid(),
  name: field,
  email: field,
  phone: field,
  line1: field,
  postal_code: field,
  city: field,
  country: field,
  language: z.enum(LANGUAGES),
  /** A box that is not ticked is not sent. */
  sms_consent: z.literal('yes').optional(),
  fulfillment: z.literal('ship_available').optional(),
  card: z.string(),
  trouble: z.string(),
  lasts: z.enum(['order', 'always']),
  /** The total that the shopper saw. */
  total_minor: z.coerce.number().int().min(0),
  /** The quote of that total; empty when something was wrong with the basket. */
  quote: z.string().regex(/^(?:quo_[0-9a-z]{26})?$/),
  presses: z.coerce.number().int().min(1).max(2),
});
export type CheckoutForm = z.output<typeof formSchema>;

/** The form as it opens, for a plausible customer who reads `language`. */
export function newForm(language: Language): CheckoutForm {
  return {
    key: randomUUID(),
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    phone: '',
    line1: '12 St James Square',
    postal_code: 'SW1Y 4JH',
    city: 'London',
    country: 'GB',
    language,
    card: 'accepted',
    trouble: NO_TROUBLE,
    lasts: 'order',
    total_minor: 0,
    quote: '',
    presses: 1,
  };
}

/** The form that was sent, with what was chosen in it; null when it is not one of ours. */
export function readForm(
  body: unknown,
): { readonly form: CheckoutForm; readonly card: Card; readonly trouble: Trouble } | null {
  const { data: form } = formSchema.safeParse(body);
  const card = CARDS.find(({ id }) => id === form?.card);
  const trouble = TROUBLES.find(({ id }) => id === form?.trouble);
  return form && card && trouble ? { form, card, trouble } : null;
}

export function requestOf(
  form: CheckoutForm,
  card: Card,
  lines: readonly BasketLine[],
): PlaceOrder {
  const { name, email, phone, language, sms_consent: smsConsent } = form;
  const { line1, postal_code, city, country, fulfillment, total_minor, quote } = form;
  return {
    customer: {
      name,
      email,
      ...(phone !== '' && { phone }),
      language,
      sms_consent: smsConsent === 'yes',
    },
    shipping_address: { line1, postal_code, city, country: country.toUpperCase() },
    ...cartOf(lines),
    payment_method: card.method,
    ...(fulfillment !== undefined && { fulfillment }),
    expected_total_minor: total_minor,
    ...(quote !== '' && { quote }),
  };
}

/** What is asked of a quote, and ordered. */
export function cartOf(lines: readonly BasketLine[]): Cart {
  return {
    lines: lines.map(({ product, quantity }) => ({ sku: product.sku, quantity })),
    adjustments: [shippingOf(lines)],
    currency: lines[0]?.product.currency ?? 'EUR',
  };
}

/** The API's words about the fields, by the field's name. */
export function fieldErrors(answer: Answer): Readonly<Record<string, string>> {
  const errors = problemIn(answer)?.errors ?? [];
  return Object.fromEntries(
    errors.map(({ pointer = '', detail }) => [pointer.split('/').at(-1) ?? '', detail]),
  );
}
