/** The customer and the address of an order: what the warehouse and the mail server take. */
import { domainToASCII } from 'node:url';
import { z } from '@hono/zod-openapi';
import { LANGUAGES } from '../../domain/language.ts';
import { toE164 } from '../../domain/phone.ts';
import { COUNTRIES, hasPostalCodes } from '../../domain/iso-3166.ts';
import { text } from './common.ts';

/** The `email` of the HTML standard (4.10.5.1.5), which also takes the addresses that RFC 5322 forgot. */
const HTML_EMAIL =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
/** RFC 5321, 4.5.3.1: octets before the @, and of a path without its angle brackets. */
const MAX_LOCAL_PART = 64;
const MAX_EMAIL = 254;

/**
 * An e-mail address. One spelling of each is stored: in lower case, and an internationalized domain
 * in ASCII (`ada@münchen.example` is `ada@xn--mnchen-3ya.example`), as browsers send it.
 */
export const email = z
  .string()
  .transform((value, context) => {
    const address = asciiEmail(value.trim().toLowerCase());
    if (address !== null) return address;
    context.addIssue('Not an e-mail address, such as ada@example.com');
    return z.NEVER;
  })
  .openapi({ type: 'string', format: 'email', maxLength: MAX_EMAIL, example: 'ada@example.com' });

/** Only letters, digits and dots: an escape or a port is not for the URL parser to read. */
const FOREIGN_DOMAIN = /^[\p{L}\p{M}\p{N}.\u3002-]+$/u;

/** Null when the mail server could not take it. */
function asciiEmail(value: string): string | null {
  // Before the conversion, whose time grows with the square of the length.
  if (value.length > MAX_EMAIL) return null;
  const at = value.lastIndexOf('@');
  const domain = value.slice(at + 1);
  const isForeign = !HTML_EMAIL.test(value) && FOREIGN_DOMAIN.test(domain);
  const address = isForeign ? `${value.slice(0, at + 1)}${domainToASCII(domain)}` : value;
  const fits = at <= MAX_LOCAL_PART && address.length <= MAX_EMAIL;
  return fits && HTML_EMAIL.test(address) ? address : null;
}

/** 4 to 15 digits (E.164 has at most 15) with the usual separators. */
const phone = z
  .string()
  .trim()
  .max(32)
  .regex(
    /^\+?[ ()./-]*(?:[0-9][ ()./-]*){4,15}$/,
    'A phone number has 4 to 15 digits, with spaces and ( ) . / - between them',
  )
  .openapi({ example: '+49 30 1234567' });

const country = z
  .enum(COUNTRIES, 'Not an ISO 3166-1 country code')
  .openapi('Country', { description: 'ISO 3166-1.', example: 'DE' });

export const language = z
  .enum(LANGUAGES, `A language that messages are written in: ${LANGUAGES.join(', ')}`)
  .openapi('Language', {
    description: 'Of the messages to the customer, ISO 639-1.',
    example: 'de',
  });

export const CONSENT_NEEDS_PHONE =
  'SMS needs an international phone number, such as +49 30 1234567';

export const customer = z
  .strictObject({
    email,
    name: text(200).openapi({ example: 'Ada Example' }),
    phone: phone.optional(),
    language: language.optional().openapi({
      description:
        "The language of messages. Left out of an order: the customer's preference, else the " +
        "shop's default.",
    }),
    sms_consent: z
      .boolean()
      .optional()
      .openapi({
        description:
          'The customer has agreed to be notified by SMS, which needs an international phone. Left out of an order: ' +
          "the customer's preference, else no SMS.",
      }),
  })
  .refine(
    ({ phone: number = '', sms_consent: mayText }) => mayText !== true || toE164(number) !== null,
    {
      path: ['phone'],
      message: CONSENT_NEEDS_PHONE,
    },
  );

export const newCustomerBody = customer.openapi('NewCustomer', {
  example: { email: 'ada@example.com', name: 'Ada Lovelace', language: 'de' },
});
export const changeCustomerBody = z
  .strictObject({
    name: text(200).optional(),
    phone: phone.nullable().optional(),
    language: language.nullable().optional(),
    sms_consent: z.boolean().optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'Name at least one field')
  .openapi('ChangeCustomer', { minProperties: 1, example: { language: 'en' } });

export const customerParam = z.object({
  id: z.string().openapi({ example: 'cus_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
});
export const availabilityQuery = z.object({ email });
export const availabilitySchema = z
  .object({ object: z.literal('availability'), available: z.boolean() })
  .openapi('Availability');

export const customerSchema = z
  .object({
    object: z.literal('customer'),
    id: z.string(),
    email: z.string(),
    name: z.string(),
    phone: z.string().nullable(),
    language: z.enum(LANGUAGES).nullable(),
    sms_consent: z.boolean(),
    registered_at: z.iso.datetime().nullable().openapi({ description: 'Null: a guest.' }),
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('Customer');
export type CustomerBody = z.output<typeof customerSchema>;

export const shippingAddress = z
  .strictObject({
    line1: text(200),
    line2: text(200).optional(),
    city: text(100),
    region: text(100).optional().openapi({
      description: 'The state, province or prefecture, where addresses have one.',
      example: 'CA',
    }),
    postal_code: text(20).optional().openapi({
      description: 'Required, except in countries without postal codes.',
      example: '10115',
    }),
    country,
  })
  .refine(({ postal_code: code, country: of }) => code !== undefined || !hasPostalCodes(of), {
    path: ['postal_code'],
    message: 'Addresses in this country have a postal code',
    // Also when another member is wrong.
    when: ({ value }) => country.safeParse(Object(value).country).success,
  });

/** The address of an order in responses. */
export const shippingAddressSchema = z.object({
  line1: z.string(),
  line2: z.string().optional(),
  city: z.string(),
  region: z.string().optional(),
  postal_code: z.string().optional(),
  country: z.string(),
});
